"""Plan and apply: one function computes, on a snapshot and without the write lock, what a document would do.

plan      compute                                                       nothing is written
apply     compute, take the lock, see that nothing changed since, write
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from rbac_api import clock
from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.capabilities.constraints.service import ConstraintChecker, require_sessions_kept
from rbac_api.capabilities.domains.service import settle_homes
from rbac_api.capabilities.policy import plan_queue, queries, queries_changes
from rbac_api.capabilities.policy.constraining import require_constraints_kept
from rbac_api.capabilities.policy.current_state import find_current_policy, revision
from rbac_api.capabilities.policy.errors import PolicyChanging
from rbac_api.capabilities.policy.impact import Impact, find_impact
from rbac_api.capabilities.policy.in_use import UNUSED_ONLY, USED_WITHIN_DAYS, UseCheck
from rbac_api.capabilities.policy.inside import nameable, part_in, require_inside
from rbac_api.capabilities.policy.reading import separate_unit
from rbac_api.capabilities.policy.references import require_known
from rbac_api.capabilities.policy.state import State, load_state
from rbac_api.capabilities.policy.steps import APPLY, REQUIRED_PERMISSIONS, label, require_permission
from rbac_api.capabilities.policy.work import Work
from rbac_api.decision.difference import CurrentPolicy, Step, difference
from rbac_api.decision.document import Document, holder_of
from rbac_api.decision.domains import is_in, lineage
from rbac_api.decision.model import ROOT
from rbac_api.decision.plan_parts import shown, summary
from rbac_api.errors import Invalid, ServiceError, Unauthenticated, Unavailable
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.revocation.denylist import note_authority_change
from rbac_api.trail.canonical_form import canonical
from rbac_api.trail.recorder import Target, append_events, prepared_events

ATTEMPTS = 5


Compute = Callable[[Clearance], Work]
Check = Callable[[Clearance], None]


def plan_policy(
    clearance: Clearance, document: Document, *, prune: bool, used_within: int = USED_WITHIN_DAYS
) -> dict[str, object]:
    """What applying the document would do. Writes nothing, and no request waits for it."""
    with separate_unit(clearance) as reader:
        work = prepare(reader, document, prune=prune)
        return describe_plan(work, find_impact(work.state, used_within))


def apply_policy(
    clearance: Clearance,
    document: Document,
    *,
    prune: bool,
    uses: UseCheck = UNUSED_ONLY,
    check: Check = lambda _reader: None,
) -> dict[str, object]:
    """Apply the document, all of it or nothing: raises the first refusal. Returns the plan, with the ``seq``
    to revert it by. ``check`` looks at the same moment before each computation."""
    answer: dict[str, object] = {}

    def compute(reader: Clearance) -> Work:
        check(reader)
        work = prepare(reader, document, prune=prune)
        work.require_permitted()
        impact = find_impact(work.state, uses.days)
        uses.require_unused(impact.in_use, impact.in_use_total)
        answer.update(describe_plan(work, impact))
        return work

    work = apply_work(clearance, compute)
    seq = _record(clearance, work, answer) if work.steps else None
    return {**answer, "seq": seq, "revision": revision(clearance.connection, clock.now())}


def apply_work(clearance: Clearance, compute: Compute) -> Work:
    """Compute without the lock, take the lock, write. If anything changed in between, the lock is given back
    and the computation repeated: 503 ``policy.changing`` if that does not end."""
    for _ in range(ATTEMPTS):
        with separate_unit(clearance) as reader:
            work = with_outdated(compute(reader))
        if is_current(clearance, work):
            write(clearance, work)
            return work
        clearance.work.release()
    raise PolicyChanging()


def is_current(clearance: Clearance, work: Work) -> bool:
    """Whether the result still holds; asked under the lock, so it holds until the unit ends."""
    now = clock.now()
    if work.state.until is not None and work.state.until <= now:
        return False
    return work.revision == revision(clearance.connection, now) and work.held == clearance.held


def prepare(clearance: Clearance, document: Document, *, prune: bool) -> Work:
    """Compare, and apply the steps to a working copy. 422 for names that do not exist."""
    state, present = load_compared(clearance, document, prune=prune)
    require_known_in(state, document, present, prune=prune)
    part = part_in(present, clearance.domain)
    return apply_steps(state, difference(document, part, state.at, prune=prune))


def load_compared(clearance: Clearance, document: Document, *, prune: bool) -> tuple[State, CurrentPolicy]:
    """What the document is compared with: all roles, and the accounts that it names; all accounts only if it
    can end their assignments. Of the accounts those at home in the domain of the clearance; 422 for entries
    about something outside it."""
    require_inside(document, clearance.domain)
    state = load_state(clearance, clock.now())
    listed = {holder_of(entry)[1] for entry in document.assignments}
    rows = load_accounts(state, listed, everybody=prune and "assignments" in document.said)
    state.note_places(document)
    return state, find_current_policy(state, rows)


def require_known_in(state: State, document: Document, present: CurrentPolicy, *, prune: bool) -> None:
    """422 for names that do not exist, or that a document of this domain cannot name."""
    domain = state.clearance.domain
    stay = lineage(domain) if prune and "domains" in document.said else state.places.known
    require_known(document, nameable(state, present, domain), state.names, stay, prune=prune)


def apply_steps(state: State, steps: Sequence[Step]) -> Work:
    """Apply the steps to the working copy; what a refused step would have created is missing later."""
    plan_queue.require_bounded(state.clearance, steps)
    work = start_work(state, steps)
    gone = [state.role_rows[step.facts["name"]].id for step in steps if _is_known_role(state, step)]
    state.open_numbers = queries.count_assignments(state.connection, gone, state.at)
    state.places.note_use(state.connection, steps, (state.role_rows, state.rule_ids), state.at)
    for step in _permitted(work):
        _take(work, step)
    judge(work)
    return finish_work(work)


def start_work(state: State, steps: Sequence[Step] = ()) -> Work:
    """The state before the first step. The caller may hand out what the caller holds now, and no more."""
    clearance, top = state.clearance, state.clearance.looking_at(ROOT)
    work = Work(steps, state, revision(state.connection, state.at), frozenset(clearance.held))
    state.holds_all = top.holds_all
    state.held = top.note_held()  # at ``root``: what is noted counts at every domain
    return work


def finish_work(work: Work) -> Work:
    """The computed work, ready to be written."""
    state = work.state
    state.settle()
    state.clearance.forget_held()
    work.events = prepared_events(state.clearance.actor, state.events)
    return work


def with_outdated(work: Work) -> Work:
    """The work with the accounts that have other permissions afterwards; a plan does not need them."""
    state = work.state
    work.outdated = queries.list_assigned_ids(state.connection, state.outdated, state.at)
    return work


def write(clearance: Clearance, work: Work) -> None:
    """Write everything at once, under the lock; check again for users disabled or signed in meanwhile, and
    whether the caller may apply policies at this domain."""
    state, connection = work.state, clearance.connection
    clearance.at(clearance.domain)
    for permission in {REQUIRED_PERMISSIONS[step.op] for step in work.steps}:
        clearance.require_permission(permission)  # counts as used
    state.pending.write(connection, clock.now())
    settle_homes(clearance, state.places.ended)
    append_events(connection, work.events)
    clearance.work.escalated |= state.clearance.work.escalated
    clearance.know_roles(state.graph_now())
    note_authority_change(clearance.connection, clearance.settings, sorted({*state.changed, *work.outdated}))
    if state.loses:
        clearance.require_administrator_remains()
    judge = ConstraintChecker(connection, clearance.graph(), clock.now())
    for rule in (state.roles.rules[name] for name in state.made_rules):
        if rule.kind == "dynamic":
            require_sessions_kept(clearance, judge, rule)


def load_accounts(state: State, names: Iterable[str], *, everybody: bool = False) -> list[Any]:
    """Load the accounts that a document names, and those that would lose something by it."""
    connection, at, domain = state.connection, state.at, state.clearance.domain
    if everybody:
        most = plan_queue.MAX_STEPS + len(set(names))  # listed, or to be ended
        limit = None if state.clearance.unbounded else most + 1
        rows = queries.list_assignments(connection, at, limit, domain)
        plan_queue.require_few(state.clearance, len(rows), most)
        names = {*names, *(row.username_canonical for row in rows)}
        if domain == ROOT:  # ``rows`` has all that these accounts are assigned
            state.note_accounts(queries.list_accounts(connection, names))
            return state.note_held(rows)
    found = queries.list_accounts(connection, names)
    known = state.note_accounts(row for row in found if is_in(row.home, domain))
    return state.note_held(queries.list_assignments_of(connection, known, at))


def _is_known_role(state: State, step: Step) -> bool:
    return step.op == "role.delete" and step.facts["name"] in state.role_rows


def _permitted(work: Work) -> Iterator[Step]:
    """Refuse first what the caller may not do at all: that costs nothing."""
    fit = []
    for step in work.steps:
        try:
            if not work.is_hopeless(step):
                require_permission(work.state.clearance, step)
                fit.append(step)
        except ServiceError as refusal:
            _refuse(work, step, refusal)
    yield from fit


def _take(work: Work, step: Step) -> None:
    try:
        if not work.is_hopeless(step):
            APPLY[step.op](work.state, step.facts)
    except (Unavailable, Unauthenticated):
        raise
    except ServiceError as refusal:
        _refuse(work, step, refusal)


def judge(work: Work) -> None:
    """Note the violated constraints, after the last step."""
    try:
        require_constraints_kept(work.state)
    except ConstraintViolated as refusal:
        work.violated = refusal


def _refuse(work: Work, step: Step, refusal: ServiceError) -> None:
    work.refused.append((step, refusal))
    work.note_unmade(step)


def describe_plan(work: Work, found: Impact) -> dict[str, object]:
    """The plan as the API returns it."""
    parts = shown(work.steps)
    violated = [refusal for _, refusal in work.refused if isinstance(refusal, ConstraintViolated)]
    violated += [work.violated] if work.violated else []
    return {
        **parts,
        "gains": found.gains,
        "losses": found.losses,
        "in_use": found.in_use,
        "violations": [each for refusal in violated for each in refusal.members["violations"]],
        "refusals": [_describe_refusal(step, refusal) for step, refusal in work.refused],
        "sessions_stale": found.sessions_stale,
        "summary": summary(parts),
        "hash": work.hash,
    }


def _describe_refusal(step: Step, refusal: ServiceError) -> dict[str, object]:
    detail = refusal.detail
    if isinstance(refusal, Invalid) and refusal.faults:
        detail = " ".join(fault.detail for fault in refusal.faults)
    members = {key: value for key, value in refusal.members.items() if key in ("missing", "required")}
    return {"step": label(step), "code": refusal.code, "detail": detail, **members}


def target_of(digest: str) -> Target:
    """A policy as the trail names it."""
    return Target("policy", digest, "policy")


def _record(clearance: Clearance, work: Work, answer: dict[str, Any]) -> int:
    counts = {part: sum(map(len, answer[part].values())) for part in ("created", "changed", "removed")}
    counts |= {"in_use": len(answer["in_use"])} if answer["in_use"] else {}
    seq = clearance.record("policy.applied", target_of(work.hash), after={**counts, "hash": work.hash})
    done = [{"op": step.op, "facts": step.facts} for step in work.steps]
    row = {"seq": seq, "at": clock.now(), "hash": work.hash, "changes": canonical(done)}
    queries_changes.add_change(clearance.connection, row)
    return seq
