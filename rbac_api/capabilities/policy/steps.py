"""Applies one step of a policy to a ``State``: the checks of the single change, and what would be written.

Each step also needs the permission that the single change needs.
"""

from __future__ import annotations

from collections.abc import Callable

from rbac_api.capabilities.policy.assigning import add_user, assign, end_assignment
from rbac_api.capabilities.policy.cataloguing import (
    create_permission,
    delete_permission,
    reworded,
    update_permission,
)
from rbac_api.capabilities.policy.constraining import (
    create_constraint,
    delete_constraint,
    note_change,
    require_administrator,
)
from rbac_api.capabilities.policy.outranking import require_outranks_holders
from rbac_api.capabilities.policy.placing import create_domain, delete_domain, update_domain
from rbac_api.capabilities.policy.state import State, Thing
from rbac_api.capabilities.roles.errors import (
    GrantNotFound,
    InheritanceNotFound,
    RoleBuiltIn,
    RoleCycle,
    RoleInUse,
    RoleNameTaken,
)
from rbac_api.capabilities.roles.service import require_inheritable
from rbac_api.database.pending import NOW
from rbac_api.database.tables import (
    role_inheritance,
    role_permissions,
    roles,
)
from rbac_api.database.types import new_id
from rbac_api.decision.difference import Facts, Step
from rbac_api.decision.domains import home_of
from rbac_api.decision.evaluate import ADMIN
from rbac_api.decision.model import Role
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import AccessDenied
from rbac_api.trail.fields import stated

REQUIRED_PERMISSIONS = {
    "domain.create": "domains:create",
    "domain.update": "domains:update",
    "domain.delete": "domains:delete",
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
    "user.create": "users:create",  # only in seeds
}


def label(step: Step) -> str:
    """The step in a few words: its operation and its subject."""
    facts = step.facts
    names = [facts[key] for key in ("user", "service_account", "name", "role") if key in facts]
    names += [facts[key] for key in ("permission", "inherits") if isinstance(facts.get(key), str)]
    names += ["at", facts["domain"]] if "domain" in facts else []
    return " ".join([step.op, *names])


def require_permission(clearance: Clearance, step: Step) -> None:
    """403 unless the caller may make this change on its own."""
    needed = REQUIRED_PERMISSIONS[step.op]
    if not clearance.unbounded and needed not in clearance.held:
        need = f"You need the permission {needed} for"
        raise AccessDenied(f"{need}: {label(step)}.", required=needed).recorded_as(f"{need} {step.op}.")


def _create_role(state: State, facts: Facts) -> None:
    name, held = facts["name"], sorted(set(facts.get("permissions", ())))
    home = home_of(name)
    state.require_domain(home)
    ids = [state.permission(one).id for one in held]
    state.clearance.require_held(held)
    if state.role_rows.is_taken(name):
        raise RoleNameTaken()
    required, title = facts.get("requires_mfa", False), facts.get("title") or None
    said = {
        "name": name,
        "title": title,
        "description": facts.get("description", ""),
        "requires_mfa": required,
        "home": home,
    }
    row = {"id": new_id(), **said, "system": False, "grants": "listed", "version": 1}
    state.pending.add(roles, {**row, "valid_from": NOW, "updated_at": NOW})
    for permission_id in ids:
        _add_grant(state, row["id"], permission_id)
    state.role_rows[name] = Thing(row["id"], said["description"], title)
    state.places.roles[home] += 1
    state.change_roles().add_role(Role(name, frozenset(held), requires_mfa=required))
    after = {**stated("roles", said), "grants": "listed", "permissions": held}
    state.record_event("role.created", "role", name, after=after)


def _update_role(state: State, facts: Facts) -> None:
    name, row = facts["name"], state.role(facts["name"])
    present = {
        "title": row.title, "description": row.description,
        "requires_mfa": state.roles.roles[name].requires_mfa,
    }  # fmt: skip
    after = {key: value for key, value in facts["after"].items() if value != present[key]}
    only_strictness = "requires_mfa" in facts["after"] and after.keys() <= {"requires_mfa"}
    _require_changeable(state, name, row, built_in_too=only_strictness)
    if not after:
        return
    if "requires_mfa" in after:
        require_outranks_holders(state, [name])
        state.outdated |= state.roles.seniors(name)
        state.change_roles().require_mfa(name, after["requires_mfa"])
    reworded(row, after)
    state.touch_role(row, **after)
    before = {key: present[key] for key in after}
    state.record_event("role.updated", "role", name, before=before, after=after)


def _delete_role(state: State, facts: Facts) -> None:
    name, row = facts["name"], state.role(facts["name"])
    _require_changeable(state, name, row)
    if named := [rule.name for rule in state.roles.rules.values() if name in rule.roles]:
        raise RoleInUse(
            f"The role is part of the constraint {min(named)}. Delete that first; force does not help."
        )
    if state.roles.above[name] or state.is_held(name):
        raise RoleInUse()
    known = state.roles.roles[name]
    said = {"name": name, "title": row.title, "description": row.description, "grants": known.grants}
    before = {**stated("roles", said), "requires_mfa": known.requires_mfa}
    before |= {"permissions": sorted(known.permissions), "inherits": sorted(state.roles.juniors[name])}
    state.pending.change(role_permissions, {"role_id": row.id, "valid_to": None}, {"valid_to": NOW})
    state.pending.change(role_inheritance, {"senior_id": row.id, "valid_to": None}, {"valid_to": NOW})
    state.touch_role(row, valid_to=NOW)
    del state.role_rows[name]
    state.places.roles[home_of(name)] -= 1
    state.change_roles().remove_role(name)
    state.record_event("role.deleted", "role", name, before=before, after={"holders": 0})


def _grant(state: State, facts: Facts) -> None:
    name, row = facts["role"], state.role(facts["role"])
    permission_id = state.permission(facts["permission"]).id
    state.clearance.require_held((facts["permission"],))
    _require_changeable(state, name, row)
    require_outranks_holders(state, [name])
    if facts["permission"] in state.roles.roles[name].permissions:
        return
    _add_grant(state, row.id, permission_id)
    state.touch_role(row)
    state.change_roles().grant(name, facts["permission"])
    state.record_event("permission.granted", "role", name, after={"permission": facts["permission"]})


def _withdraw(state: State, facts: Facts) -> None:
    name, row = facts["role"], state.role(facts["role"])
    permission_id = state.permission(facts["permission"]).id
    _require_changeable(state, name, row)
    require_outranks_holders(state, [name])
    if facts["permission"] not in state.roles.roles[name].permissions:
        raise GrantNotFound()
    edge = {"role_id": row.id, "permission_id": permission_id, "valid_to": None}
    state.pending.change(role_permissions, edge, {"valid_to": NOW})
    state.touch_role(row)
    state.change_roles().withdraw(name, facts["permission"])
    state.record_event("permission.withdrawn", "role", name, before={"permission": facts["permission"]})


def _inherit(state: State, facts: Facts) -> None:
    senior, junior = facts["role"], facts["inherits"]
    above, below = state.role(senior), state.role(junior)
    require_inheritable(senior, junior)
    state.clearance.require_held(state.roles.effective(junior))
    _require_changeable(state, senior, above)
    require_outranks_holders(state, [senior])
    if senior in state.roles.closure(junior):
        raise RoleCycle()
    if junior in state.roles.juniors[senior]:
        return
    edge = {"id": new_id(), "senior_id": above.id, "junior_id": below.id, "valid_from": NOW}
    state.pending.add(role_inheritance, edge)
    state.touch_role(above)
    state.outdated |= state.roles.seniors(senior)
    state.change_roles().inherit(senior, junior)
    state.record_event("inheritance.created", "role", senior, after={"inherits": junior})
    note_change(state, through=senior, roles=[junior])


def _disinherit(state: State, facts: Facts) -> None:
    senior, junior = facts["role"], facts["inherits"]
    above, below = state.role(senior), state.role(junior)
    _require_changeable(state, senior, above)
    require_outranks_holders(state, [senior])
    if junior not in state.roles.juniors[senior]:
        raise InheritanceNotFound()
    edge = {"senior_id": above.id, "junior_id": below.id, "valid_to": None}
    state.pending.change(role_inheritance, edge, {"valid_to": NOW})
    state.touch_role(above)
    state.outdated |= state.roles.seniors(senior)
    administrators = state.roles.seniors(ADMIN)
    state.change_roles().disinherit(senior, junior)
    state.record_event("inheritance.ended", "role", senior, before={"inherits": junior})
    if state.roles.seniors(ADMIN) != administrators:
        require_administrator(state)
    note_change(state, through=senior, roles=[junior], losing=True)


def _require_changeable(state: State, name: str, row: Thing, *, built_in_too: bool = False) -> None:
    """Check the caller first, then the role: a caller who is weaker than the role learns only that."""
    state.clearance.require_outranks(state.roles.effective(name), f"The role {name}")
    if row.system and not built_in_too:
        raise RoleBuiltIn()


def _add_grant(state: State, role_id: str, permission_id: str) -> None:
    edge = {"id": new_id(), "role_id": role_id, "permission_id": permission_id, "valid_from": NOW}
    state.pending.add(role_permissions, edge)


APPLY: dict[str, Callable[[State, Facts], object]] = {
    "domain.create": create_domain,
    "domain.update": update_domain,
    "domain.delete": delete_domain,
    "permission.create": create_permission,
    "permission.update": update_permission,
    "permission.delete": delete_permission,
    "role.create": _create_role,
    "role.update": _update_role,
    "role.delete": _delete_role,
    "permission.grant": _grant,
    "permission.withdraw": _withdraw,
    "inheritance.create": _inherit,
    "inheritance.end": _disinherit,
    "constraint.create": create_constraint,
    "constraint.delete": delete_constraint,
    "assignment.create": assign,
    "assignment.update": assign,
    "assignment.end": end_assignment,
    "user.create": add_user,
}
