"""Plan and apply: one function works out, on a snapshot and without the write lock, what a document would do; applying writes that.

plan      compute                                                       nothing is written
apply     compute, take the lock, see that nothing changed since, write
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from rbac_api import clock
from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.capabilities.constraints.service import ConstraintChecker, require_sessions_kept
from rbac_api.capabilities.policy import plan_queue as turns
from rbac_api.capabilities.policy import queries
from rbac_api.capabilities.policy.constraining import require_constraints_kept
from rbac_api.capabilities.policy.current_state import find_present, revision
from rbac_api.capabilities.policy.errors import PolicyChanging
from rbac_api.capabilities.policy.impact import MOST_TOLD, Impact, find_impact
from rbac_api.capabilities.policy.references import require_known
from rbac_api.capabilities.policy.state import State, load_state
from rbac_api.capabilities.policy.steps import DO, label, require_permission
from rbac_api.capabilities.users.service import note_authority_change
from rbac_api.database.session import UnitOfWork
from rbac_api.decision.difference import CurrentPolicy, Step, difference, shown, summary
from rbac_api.decision.document import Document, holder_of
from rbac_api.errors import Invalid, ServiceError, Unauthenticated, Unavailable
from rbac_api.guard.enforcement.clearance import HELD, HOLDER, Clearance
from rbac_api.trail.chain import canonical
from rbac_api.trail.recorder import Target, append_events, prepared_events

ATTEMPTS = 5
_REFERENCES = ("name", "role", "inherits", "permission")


@dataclass(slots=True)
class Work:
    """A document worked out: its steps, what they lead to, and what of them would be refused."""

    steps: Sequence[Step]
    state: State
    revision: str
    held: frozenset[str]
    refused: list[tuple[Step, ServiceError]] = field(default_factory=list)
    violated: ConstraintViolated | None = None
    broken: set[str] = field(default_factory=set)  # what a refused step would have made
    events: list[dict[str, object]] = field(default_factory=list)  # rows of the trail
    outdated: set[str] = field(
        default_factory=set
    )  # ids of those who may do something else though nothing of theirs changed

    @property
    def hash(self) -> str:
        """Of the steps, and of the revision they were worked out for."""
        facts = {"revision": self.revision, "steps": [[step.op, step.facts] for step in self.steps]}
        return hashlib.sha256(canonical(facts).encode()).hexdigest()

    def require_permitted(self) -> None:
        """The first refusal is raised."""
        for _, refusal in self.refused:
            raise refusal
        if self.violated is not None:
            raise self.violated


Compute = Callable[[Clearance], Work]
Check = Callable[[Clearance], None]


def plan_policy(clearance: Clearance, document: Document, *, prune: bool) -> dict[str, object]:
    """What applying the document would do, found out by working it out.  Nothing is written, and nobody waits for it."""
    with elsewhere(clearance) as reader:
        work = prepare(reader, document, prune=prune)
        return told(work, find_impact(work.state))


def apply_policy(
    clearance: Clearance, document: Document, *, prune: bool, check: Check = lambda _reader: None
) -> dict[str, object]:
    """Do it, all of it or nothing: the first refusal is raised.  The answer is the plan's, with the ``seq`` by which it can be undone.

    ``check`` looks beforehand at the same moment, and is asked again whenever it has to be worked out again.
    """
    answer: dict[str, object] = {}

    def compute(reader: Clearance) -> Work:
        check(reader)
        work = prepare(reader, document, prune=prune)
        work.require_permitted()
        answer.update(told(work, find_impact(work.state)))
        return work

    work = carry_out(clearance, compute)
    seq = _record(clearance, work, answer) if work.steps else None
    return {**answer, "seq": seq, "revision": revision(clearance.connection, clock.now())}


def carry_out(clearance: Clearance, compute: Compute) -> Work:
    """Work it out without the lock, take the lock, and write.  If anything changed in between, the lock is given back and it is worked
    out again: 503 ``policy.changing`` if that never ends."""
    for _ in range(ATTEMPTS):
        with elsewhere(clearance) as reader:
            work = compute(reader)
        if is_current(clearance, work):
            write(clearance, work)
            return work
        clearance.work.release()
    raise PolicyChanging()


@contextmanager
def elsewhere(clearance: Clearance) -> Iterator[Clearance]:
    """The same caller in a unit that reads the rows of one moment, beside the one that she came with."""
    database = clearance.work.database
    with UnitOfWork(database, writes=False, one_moment=True) as work:
        yield replace(clearance, work=work)


def is_current(clearance: Clearance, work: Work) -> bool:
    """Whether what was worked out still holds; asked under the lock, so it holds until the unit ends."""
    now = clock.now()
    if work.state.until is not None and work.state.until <= now:
        return False
    return work.revision == revision(clearance.connection, now) and work.held == clearance.held


def prepare(clearance: Clearance, document: Document, *, prune: bool) -> Work:
    """Compare, and take the steps.  422 for names that do not exist."""
    state = load_state(clearance, clock.now())
    listed = {holder_of(entry)[1] for entry in document.assignments}
    rows = meet_people(state, listed, everybody=prune and "assignments" in document.said)
    present = find_present(state, rows)
    require_known(document, present, state.names, prune=prune)
    return work_out(state, difference(document, present, state.at, prune=prune))


def work_out(state: State, steps: Sequence[Step]) -> Work:
    """Take the steps one after the other; what is refused is noted, and what it would have made is missing for the others."""
    turns.require_bounded(state.clearance, steps)
    work = begun(state, steps)
    gone = [state.role_rows[step.facts["name"]].id for step in steps if _is_known_role(state, step)]
    state.open_numbers = queries.count_assignments(state.connection, gone, state.at)
    for step in _permitted(work):
        _take(work, step)
    judge(work)
    return settled(work)


def begun(state: State, steps: Sequence[Step] = ()) -> Work:
    """No step was taken yet.  What the caller may hand out is what she holds now, also after the first."""
    clearance = state.clearance
    work = Work(steps, state, revision(state.connection, state.at), clearance.held)
    state.holds_all = clearance.holds_all
    clearance.note_held()
    clearance.work.notes[HELD] = set(work.held)  # more may come: who holds all holds what is made, too
    return work


def settled(work: Work) -> Work:
    """Ready to be written."""
    state = work.state
    state.settle()
    for note in (HELD, HOLDER):
        state.clearance.work.notes.pop(note, None)
    work.events = prepared_events(state.clearance.actor, state.events)
    work.outdated = queries.list_assigned_ids(state.connection, state.outdated, state.at)
    return work


def write(clearance: Clearance, work: Work) -> None:
    """Everything at once, under the lock, and what a user who was disabled or signed in meanwhile could have spoilt."""
    state, connection = work.state, clearance.connection
    state.pending.write(connection, clock.now())
    append_events(connection, work.events)
    clearance.know_roles(state.graph_now())
    note_authority_change(clearance, sorted({*state.changed, *work.outdated}))
    if state.loses:
        clearance.require_administrator_remains()
    judge = ConstraintChecker(connection, clearance.graph(), clock.now())
    for rule in (state.roles.rules[name] for name in state.made_rules):
        if rule.kind == "dynamic":
            require_sessions_kept(clearance, judge, rule)


def meet_people(state: State, names: Iterable[str], *, everybody: bool = False) -> list[Any]:
    """Make known whom a document names, by canonical names, and whoever would lose something by it; what they are assigned."""
    connection, at = state.connection, state.at
    if everybody:
        most = turns.MOST_STEPS + len(set(names))  # listed, or to be ended
        rows = queries.list_assignments(connection, at, None if state.clearance.unbounded else most + 1)
        turns.require_few(state.clearance, len(rows), most)
        names = {*names, *(row.username_canonical for row in rows)}
        state.meet(queries.list_accounts(connection, names))
        return state.note_held(rows)
    known = state.meet(queries.list_accounts(connection, names))
    return state.note_held(queries.list_assignments_of(connection, known, at))


def find_everything(clearance: Clearance) -> tuple[State, CurrentPolicy]:
    """Everything that a document can say, as of one moment."""
    state = load_state(clearance, clock.now())
    return state, find_present(state, meet_people(state, (), everybody=True))


def _is_known_role(state: State, step: Step) -> bool:
    return step.op == "role.delete" and step.facts["name"] in state.role_rows


def _permitted(work: Work) -> Iterator[Step]:
    """First of all what the caller may not do at all is refused: that costs nothing."""
    fit = []
    for step in work.steps:
        try:
            if not _is_hopeless(work, step):
                require_permission(work.state.clearance, step)
                fit.append(step)
        except ServiceError as refusal:
            _refuse(work, step, refusal)
    yield from fit


def _take(work: Work, step: Step) -> None:
    try:
        if not _is_hopeless(work, step):
            DO[step.op](work.state, step.facts)
    except (Unavailable, Unauthenticated):
        raise
    except ServiceError as refusal:
        _refuse(work, step, refusal)


def judge(work: Work) -> None:
    """Note what constraints say, after the last step."""
    try:
        require_constraints_kept(work.state)
    except ConstraintViolated as refusal:
        work.violated = refusal


def _refuse(work: Work, step: Step, refusal: ServiceError) -> None:
    work.refused.append((step, refusal))
    _note_unmade(work, step)


def _is_hopeless(work: Work, step: Step) -> bool:
    """Whether a step needs what a refused one would have made: a second refusal would tell nothing."""
    facts = step.facts
    named = {facts[key] for key in _REFERENCES if isinstance(facts.get(key), str)}
    hopeless = not work.broken.isdisjoint(named.union(facts.get("permissions", ()), facts.get("roles", ())))
    if hopeless:
        _note_unmade(work, step)
    return hopeless


def _note_unmade(work: Work, step: Step) -> None:
    if step.op in ("role.create", "permission.create"):
        work.broken.add(step.facts["name"])


def told(work: Work, found: Impact) -> dict[str, object]:
    """The plan as it is answered."""
    parts = shown(work.steps)
    violated = [refusal for _, refusal in work.refused if isinstance(refusal, ConstraintViolated)]
    violated += [work.violated] if work.violated else []
    return {
        **parts,
        "gains": found.gains[:MOST_TOLD],
        "losses": found.losses[:MOST_TOLD],
        "violations": [each for refusal in violated for each in refusal.members["violations"]],
        "refusals": [_told_refusal(step, refusal) for step, refusal in work.refused],
        "sessions_stale": found.sessions_stale,
        "summary": summary(parts),
        "hash": work.hash,
    }


def _told_refusal(step: Step, refusal: ServiceError) -> dict[str, object]:
    detail = refusal.detail
    if isinstance(refusal, Invalid) and refusal.faults:
        detail = " ".join(fault.detail for fault in refusal.faults)
    members = {key: value for key, value in refusal.members.items() if key in ("missing", "required")}
    return {"step": label(step), "code": refusal.code, "detail": detail, **members}


def target_of(digest: str) -> Target:
    """A policy, as the trail names it."""
    return Target("policy", digest, "policy")


def _record(clearance: Clearance, work: Work, answer: dict[str, Any]) -> int:
    counts = {part: sum(map(len, answer[part].values())) for part in ("created", "changed", "removed")}
    seq = clearance.record("policy.applied", target_of(work.hash), after={**counts, "hash": work.hash})
    done = [{"op": step.op, "facts": step.facts} for step in work.steps]
    row = {"seq": seq, "at": clock.now(), "hash": work.hash, "changes": canonical(done)}
    queries.add_change(clearance.connection, row)
    return seq
