"""Reverts one policy that was applied: its steps inverted, in reverse order, through the same services and
guards.

First, everything it touched is compared with what it left. Later changes are reported, not overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from rbac_api import clock
from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.capabilities.policy import queries_changes
from rbac_api.capabilities.policy.current_state import find_current_policy, revision
from rbac_api.capabilities.policy.engine import (
    apply_steps,
    apply_work,
    describe_plan,
    load_accounts,
    target_of,
)
from rbac_api.capabilities.policy.errors import (
    PolicyChangeUnknown,
    PolicyNotRevertible,
    PolicyReverted,
)
from rbac_api.capabilities.policy.impact import find_impact
from rbac_api.capabilities.policy.inside import is_inside
from rbac_api.capabilities.policy.reading import separate_unit
from rbac_api.capabilities.policy.state import State, load_state
from rbac_api.capabilities.policy.steps import label
from rbac_api.capabilities.policy.work import Work
from rbac_api.decision.difference import CurrentPolicy, Facts, Step, is_over
from rbac_api.decision.document import domain_of, holder_of, moment_of
from rbac_api.decision.model import ROOT
from rbac_api.errors import MAX_FAULTS, Conflict, Invalid, NotFound
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import LastAdministrator

_NAME = "name"


def revert_policy(clearance: Clearance, seq: int) -> dict[str, object]:
    """Revert it, all of it or nothing. Returns the same members as a plan.

    404, 409 ``policy.reverted`` and ``policy.not_revertible``.
    """
    answer: dict[str, object] = {}

    def compute(reader: Clearance) -> Work:
        work = _compute_revert(reader, seq)
        answer.update(describe_plan(work, find_impact(work.state)))
        return work

    work = apply_work(clearance, compute)
    target = target_of(_find(clearance, seq).hash)
    by = clearance.record("policy.reverted", target, before={"seq": seq}, after={"hash": work.hash})
    queries_changes.note_reverted(clearance.connection, seq, by)
    return {**answer, "seq": by, "revision": revision(clearance.connection, clock.now())}


def plan_revert(clearance: Clearance, seq: int) -> dict[str, object]:
    """What the revert would change; refused like the revert itself."""
    with separate_unit(clearance) as reader:
        work = _compute_revert(reader, seq)
        return describe_plan(work, find_impact(work.state))


def _compute_revert(clearance: Clearance, seq: int) -> Work:
    """The computed revert; raises the first refusal. What changed anything outside the clearance's domain is
    unknown there."""
    row = _find(clearance, seq)
    done = [Step(step["op"], step["facts"]) for step in json.loads(row.changes)]
    state = load_state(clearance, clock.now())
    people = {holder_of(step.facts)[1] for step in done if _is_assignment(step)}
    if any(step.op.startswith("domain.") for step in done):
        state.places.load(state.connection)
    present = find_current_policy(state, load_accounts(state, people))
    require_all_inside(state, done)
    if row.reverted_by is not None:
        raise PolicyReverted()
    changed = sorted(set(changes_since(done, present, state.at)))
    if changed:
        raise PolicyNotRevertible(changed=changed[:MAX_FAULTS], total=len(changed))
    work = apply_steps(state, [back for step in reversed(done) for back in inverse(step, state.at)])
    for step, refusal in work.refused:
        if isinstance(refusal, Conflict | NotFound | Invalid) and not isinstance(
            refusal, ConstraintViolated | LastAdministrator
        ):
            raise PolicyNotRevertible(changed=[f"{label(step)}: {refusal.detail}"], total=1) from refusal
        raise refusal
    work.require_permitted()
    return work


def require_all_inside(state: State, done: Iterable[Step]) -> None:
    """404 if a step was about something outside the clearance's domain, or an account that is at home
    elsewhere."""
    domain = state.clearance.domain
    for step in done:
        hidden = domain != ROOT and _is_assignment(step) and holder_of(step.facts) not in state.names
        if hidden or not is_inside(step, domain):
            raise PolicyChangeUnknown()


def _find(clearance: Clearance, seq: int) -> queries_changes.ChangeRow:
    row = queries_changes.find_change(clearance.connection, seq)
    if row is None:
        raise PolicyChangeUnknown()
    return row


def inverse(step: Step, at: datetime) -> Iterator[Step]:
    """The step that undoes this one; none for an assignment that would be over."""
    thing, _, verb = step.op.partition(".")
    if verb == "update":
        yield from _restored(step, at)
    elif step.op in _REMADE:
        yield from _REMADE[step.op](step.facts)
    elif not (thing == "assignment" and is_over(step.facts, at)):
        yield Step(_OPPOSITE[step.op], _facts_as_of(step.facts, at))


def _role_again(facts: Facts) -> Iterator[Step]:
    yield Step("role.create", {key: value for key, value in facts.items() if key != "inherits"})
    for junior in facts["inherits"]:
        yield Step("inheritance.create", {"role": facts[_NAME], "inherits": junior})


def _permission_again(facts: Facts) -> Iterator[Step]:
    yield Step("permission.create", {key: facts.get(key) for key in (_NAME, "title", "description")})
    for role in facts["roles"]:
        yield Step("permission.grant", {"role": role, "permission": facts[_NAME]})


_REMADE: dict[str, Callable[[Facts], Iterator[Step]]] = {
    "role.delete": _role_again,
    "permission.delete": _permission_again,
}
_OPPOSITE = {
    "domain.create": "domain.delete",
    "domain.delete": "domain.create",
    "permission.create": "permission.delete",
    "role.create": "role.delete",
    "permission.grant": "permission.withdraw",
    "permission.withdraw": "permission.grant",
    "inheritance.create": "inheritance.end",
    "inheritance.end": "inheritance.create",
    "constraint.create": "constraint.delete",
    "constraint.delete": "constraint.create",
    "assignment.create": "assignment.end",
    "assignment.end": "assignment.create",
}


def _restored(step: Step, at: datetime) -> Iterator[Step]:
    facts = step.facts
    if step.op == "assignment.update" and is_over(facts["before"], at):
        yield Step("assignment.end", {**facts, **facts["after"]})
    else:
        yield Step(step.op, {**facts, "before": facts["after"], "after": _facts_as_of(facts["before"], at)})


def _is_assignment(step: Step) -> bool:
    return step.op.startswith("assignment.")


def changes_since(done: Iterable[Step], present: CurrentPolicy, at: datetime) -> Iterator[str]:
    """The names of what is no longer as these steps left it."""
    left = _Left()
    for step in done:
        left.note(step)
    for (kind, *key), value in left.values.items():
        yield from _compared(kind, tuple(key), value, present, at)
    yield from _added_later(left, present)


class _Left:
    """What the steps left: for each thing its last value; None for what was removed."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, ...], object] = {}
        self.roles: set[str] = set()  # created
        self.permissions: set[str] = set()

    def note(self, step: Step) -> None:
        thing, _, verb = step.op.partition(".")
        facts = step.facts
        gone = verb in ("delete", "end", "withdraw")
        if verb in ("grant", "withdraw"):
            self.values["held", facts["role"], facts["permission"]] = not gone
        elif thing == "inheritance":
            self.values["inherited", facts["role"], facts["inherits"]] = not gone
        elif thing == "assignment":
            key = ("assignment", *holder_of(facts), facts["role"], domain_of(facts))
            self.values[key] = None if gone else facts.get("after", facts)
        else:
            self.values[thing, facts[_NAME]] = None if gone else facts.get("after", facts)
            self._note_made(step)

    def _note_made(self, step: Step) -> None:
        name = step.facts[_NAME]
        if step.op == "role.create":
            self.roles.add(name)
            self.values |= {("held", name, permission): True for permission in step.facts["permissions"]}
        elif step.op == "permission.create":
            self.permissions.add(name)


_COMPARED = ("title", "description", "requires_mfa", "kind", "roles", "limit")
_TERMS = ("reason", "expires_at", "mode", "max_duration", "starts_at")


def _compared(
    kind: str, key: tuple[str, ...], left: Any, present: CurrentPolicy, at: datetime
) -> Iterator[str]:
    what = " ".join((kind, *(key[:-1] if kind == "assignment" and key[-1] == ROOT else key)))
    if kind in ("held", "inherited"):
        role, other = key
        edges = present.roles.get(role, {}).get("permissions" if kind == "held" else "inherits", ())
        if (other in edges) != left:
            yield f"role {role}: {other}"
        return
    tables: dict[str, Mapping[Any, Mapping[str, Any]]] = {
        "permission": present.permissions, "role": present.roles, "constraint": present.constraints,
        "assignment": present.assignments, "domain": present.domains,
    }  # fmt: skip
    facts = tables[kind].get(key if kind == "assignment" else key[0])
    if left is None or facts is None:
        over = kind == "assignment" and left is not None and is_over(left, at)
        if (left is None) != (facts is None) and not over:
            yield what
        return
    for name in _TERMS if kind == "assignment" else _COMPARED:
        if name in left and name in facts and _value_as_of(name, left[name], at) != facts[name]:
            yield f"{what}: {name}"


def _value_as_of(name: str, value: Any, at: datetime) -> Any:
    """The value as of now: a beginning in the past counts as none."""
    starts = moment_of(value) if name == "starts_at" else None
    return None if starts is not None and starts <= at else value


def _facts_as_of(facts: Facts, at: datetime) -> Facts:
    """The same for all values of a thing: an assignment that would have begun meanwhile begins when it is
    restored."""
    return {name: _value_as_of(name, value, at) for name, value in facts.items()}


def _added_later(left: _Left, present: CurrentPolicy) -> Iterator[str]:
    """What was added later to something that is to be removed."""
    for role in sorted(left.roles & present.roles.keys()):
        for kind, key in (("held", "permissions"), ("inherited", "inherits")):
            for name in present.roles[role][key]:
                if not left.values.get((kind, role, name)):
                    yield f"role {role}: {name}"
    for role, facts in sorted(present.roles.items()):
        for permission in sorted(left.permissions.intersection(facts["permissions"])):
            if not left.values.get(("held", role, permission)):
                yield f"role {role}: {permission}"
