"""Taking one step of a policy, through the service that owns what it changes and asks what it always asks.

Besides, whoever applies a document needs for each step the permission that the single change asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rbac_api.capabilities.assignments.service import give_role, take_role
from rbac_api.capabilities.constraints.service import create_constraint, delete_constraint
from rbac_api.capabilities.permissions.service import (
    create_permission,
    delete_permission,
    update_permission,
)
from rbac_api.capabilities.policy.holders import People, terms_of
from rbac_api.capabilities.roles.service import (
    create_role,
    delete_role,
    disinherit_role,
    get_role,
    grant_permission,
    inherit_role,
    update_role,
    withdraw_permission,
)
from rbac_api.decision.difference import Facts, Step
from rbac_api.decision.document import holder_of
from rbac_api.guard.clearance import HELD, Clearance
from rbac_api.guard.errors import AccessDenied
from rbac_api.trail.recorder import Target
from rbac_api.web.etags import tag_of

NEEDED = {
    "permission.create": "permissions:create",
    "permission.update": "permissions:create",
    "permission.delete": "permissions:delete",
    "role.create": "roles:create",
    "role.update": "roles:update",
    "role.delete": "roles:delete",
    "permission.grant": "roles:update",
    "permission.withdraw": "roles:update",
    "inheritance.create": "roles:update",
    "inheritance.end": "roles:update",
    "constraint.create": "constraints:create",
    "constraint.delete": "constraints:delete",
    "assignment.create": "assignments:create",
    "assignment.update": "assignments:create",
    "assignment.end": "assignments:revoke",
}


def label(step: Step) -> str:
    """The step in a few words: its operation and what it is about."""
    facts = step.facts
    names = [facts[key] for key in ("user", "service_account", "name", "role") if key in facts]
    names += [facts[key] for key in ("permission", "inherits") if isinstance(facts.get(key), str)]
    return " ".join([step.op, *names])


def take(clearance: Clearance, step: Step, people: People) -> None:
    """Take the step; whatever the service refuses is raised."""
    require_permission(clearance, step)
    if step.op.startswith("assignment."):
        _assignment(clearance, step, people)
    else:
        _DO[step.op](clearance, step.facts)


def require_permission(clearance: Clearance, step: Step) -> None:
    """403 unless the caller may make such a change by itself."""
    needed = NEEDED[step.op]
    if not clearance.unbounded and needed not in clearance.held:
        raise AccessDenied(f"You need the permission {needed} for: {label(step)}.", required=needed)


def holder(step: Step, people: People) -> Target:
    """Whom an assignment is of."""
    return people[holder_of(step.facts)]


def _assignment(clearance: Clearance, step: Step, people: People) -> None:
    whom, role = holder(step, people), step.facts["role"]
    if step.op == "assignment.end":
        take_role(clearance, whom, role)
    else:
        wanted: Facts = step.facts["after"] if step.op == "assignment.update" else step.facts
        give_role(clearance, whom, role, terms_of(wanted))


def _create_permission(clearance: Clearance, facts: Facts) -> None:
    """Whoever holds all permissions there are holds this one too, for the steps to come."""
    create_permission(clearance, facts["name"], facts["description"])
    held = clearance.work.notes.get(HELD)
    if held is not None and clearance.holds_all:
        clearance.work.notes[HELD] = held | {facts["name"]}


def _update_permission(clearance: Clearance, facts: Facts) -> None:
    update_permission(clearance, facts["name"], facts["after"]["description"])


def _update_role(clearance: Clearance, facts: Facts) -> None:
    update_role(clearance, facts["name"], _tags(clearance, facts["name"]), facts["after"])


def _delete_role(clearance: Clearance, facts: Facts) -> None:
    delete_role(clearance, facts["name"], _tags(clearance, facts["name"]), force=False)


def _tags(clearance: Clearance, name: str) -> frozenset[str]:
    """The present one: the unit holds the write lock, so nobody can come between."""
    role, version = get_role(clearance, name)
    return frozenset({tag_of(role, version)})


_DO: dict[str, Callable[[Clearance, Facts], Any]] = {
    "permission.create": _create_permission,
    "permission.update": _update_permission,
    "permission.delete": lambda clearance, facts: delete_permission(
        clearance,
        facts["name"],
        force=True,  # the plan names the roles that lose it
    ),
    "role.create": create_role,
    "role.update": _update_role,
    "role.delete": _delete_role,
    "permission.grant": lambda clearance, facts: grant_permission(
        clearance, facts["role"], facts["permission"]
    ),
    "permission.withdraw": lambda clearance, facts: withdraw_permission(
        clearance, facts["role"], facts["permission"]
    ),
    "inheritance.create": lambda clearance, facts: inherit_role(clearance, facts["role"], facts["inherits"]),
    "inheritance.end": lambda clearance, facts: disinherit_role(clearance, facts["role"], facts["inherits"]),
    "constraint.create": create_constraint,
    "constraint.delete": lambda clearance, facts: delete_constraint(clearance, facts["name"]),
}
