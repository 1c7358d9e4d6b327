"""Plan and apply: the same steps through the same services, in one unit of work.  A plan is what happens, rolled back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rbac_api import clock
from rbac_api.capabilities.assignments.service import Gift, give_permitted, give_roles
from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.capabilities.constraints.service import check_deferred, deferring
from rbac_api.capabilities.policy import queries
from rbac_api.capabilities.policy.holders import People, find_people, terms_of
from rbac_api.capabilities.policy.impact import MOST_TOLD, Held, Impact, find_held, find_impact
from rbac_api.capabilities.policy.present import find_present, revision
from rbac_api.capabilities.policy.references import require_known
from rbac_api.capabilities.policy.steps import holder, label, require_permission, take
from rbac_api.decision.difference import Present, Step, difference, shown, summary
from rbac_api.decision.document import Document, holder_of
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.errors import Invalid, ServiceError, Unauthenticated, Unavailable
from rbac_api.guard.clearance import HELD, HOLDER, Clearance
from rbac_api.trail.chain import canonical
from rbac_api.trail.recorder import Target

_REFERENCES = ("name", "role", "inherits", "permission")


@dataclass(slots=True)
class Work:
    """A document on its way: the steps, and what was before the first of them."""

    steps: list[Step]
    people: People
    graph: RoleGraph
    held: Held
    at: datetime
    hash: str
    refusals: list[dict[str, Any]] = field(default_factory=list)
    violations: list[dict[str, Any]] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)  # what a refused step would have made


def plan_policy(clearance: Clearance, document: Document, *, prune: bool) -> dict[str, Any]:
    """What applying the document would do, found out by doing it.  Nothing of it stays, not even an event."""
    with undone(clearance):
        work = prepare(clearance, document, prune=prune)
        with bundled(clearance):
            _try_all(clearance, work)
        found = find_impact(clearance.connection, (work.graph, clearance.changed_graph()), work.held, work.at)
    return told(work, found)


def apply_policy(clearance: Clearance, document: Document, *, prune: bool) -> dict[str, Any]:
    """Do it, all of it or nothing: the first refusal is raised.  The answer is the plan's, with the ``seq`` by which it can be undone."""
    work = prepare(clearance, document, prune=prune)
    with bundled(clearance):
        take_all(clearance, work)
        check_deferred(clearance)
    found = find_impact(clearance.connection, (work.graph, clearance.changed_graph()), work.held, work.at)
    answer = told(work, found)
    seq = _record(clearance, work, answer) if work.steps else None
    return {**answer, "seq": seq, "revision": revision(clearance.connection, clock.now())}


def prepare(clearance: Clearance, document: Document, *, prune: bool) -> Work:
    """Compare.  422 for whatever names what is not there."""
    connection, at, graph = clearance.connection, clock.now(), clearance.graph()
    listed = {holder_of(entry)[1] for entry in document.assignments}
    if prune and "assignments" in document.said:
        rows = queries.list_assignments(connection, at)
        listed |= {row.username_canonical for row in rows}
        people = find_people(clearance, listed)
    else:
        people = find_people(clearance, listed)
        ids = [target.id for target in people.values() if target.id]
        rows = list(queries.list_assignments_of(connection, ids, at))
    present = find_present(connection, graph, at, rows)
    require_known(document, present, people, prune=prune)
    steps = difference(document, present, at, prune=prune)
    return begin(clearance, steps, people, at)


def begin(clearance: Clearance, steps: list[Step], people: People, at: datetime) -> Work:
    """What was before the first step."""
    concerned = {holder(step, people).id or "" for step in steps if step.op.startswith("assignment.")}
    held = find_held(clearance.connection, concerned, at)
    facts = {
        "revision": revision(clearance.connection, at),
        "steps": [[step.op, step.facts] for step in steps],
    }
    digest = hashlib.sha256(canonical(facts).encode()).hexdigest()
    before = {user_id: held.get(user_id, ()) for user_id in concerned}
    return Work(steps, people, clearance.graph(), before, at, digest)


def find_everything(clearance: Clearance) -> tuple[Present, datetime]:
    """Everything that a document can say, as of one moment."""
    connection, at = clearance.connection, clock.now()
    rows = queries.list_assignments(connection, at)
    return find_present(connection, clearance.changed_graph(), at, rows), at


def take_all(clearance: Clearance, work: Work) -> None:
    """Every step; the first refusal is raised."""
    for steps in _runs(work.steps):
        if steps[0].op == "assignment.create":
            require_permission(clearance, steps[0])
            give_roles(clearance, [_gift(step, work.people) for step in steps])
        else:
            take(clearance, steps[0], work.people)


@contextmanager
def bundled(clearance: Clearance) -> Iterator[None]:
    """Many changes as one: constraints are looked at once, after the last, and what the caller may hand out is what she held before."""
    notes = clearance.work.notes
    clearance.note_held()
    try:
        with deferring(clearance):
            yield
    finally:
        notes.pop(HELD, None)
        notes.pop(HOLDER, None)


@contextmanager
def undone(clearance: Clearance) -> Iterator[None]:
    """Whatever is written inside is taken back: rows, events, what the unit noted, and what it would have announced."""
    connection, notes = clearance.connection, clearance.work.notes
    kept, published = dict(notes), connection.info.get("published")
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()
        notes.clear()
        notes.update(kept)
        connection.info["published"] = published


def _try_all(clearance: Clearance, work: Work) -> None:
    for steps in _runs(work.steps):
        fit = [step for step in steps if not _is_hopeless(work, step)]
        if fit and fit[0].op == "assignment.create":
            _try_gifts(clearance, work, fit)
        else:
            for step in fit:
                _try(clearance, work, step)
    try:
        check_deferred(clearance)
    except ConstraintViolated as refusal:
        work.violations = refusal.members["violations"]


def _try(clearance: Clearance, work: Work, step: Step) -> None:
    kept = dict(clearance.work.notes)
    try:
        with clearance.connection.begin_nested():
            take(clearance, step, work.people)
    except (Unavailable, Unauthenticated):
        raise
    except ServiceError as refusal:
        clearance.work.notes.clear()
        clearance.work.notes.update(kept)
        clearance.work.notes.pop("graph", None)
        _note(work, step, refusal)


def _try_gifts(clearance: Clearance, work: Work, steps: Sequence[Step]) -> None:
    try:
        require_permission(clearance, steps[0])
    except ServiceError as refusal:
        for step in steps:
            _note(work, step, refusal)
        return
    refused = give_permitted(clearance, [_gift(step, work.people) for step in steps])
    for place, fault in refused.items():
        _note(work, steps[place], fault)


def _note(work: Work, step: Step, refusal: ServiceError) -> None:
    detail = refusal.detail
    if isinstance(refusal, Invalid) and refusal.faults:
        detail = " ".join(fault.detail for fault in refusal.faults)
    members = {key: value for key, value in refusal.members.items() if key in ("missing", "required")}
    if isinstance(refusal, ConstraintViolated):
        work.violations += refusal.members["violations"]
    work.refusals.append({"step": label(step), "code": refusal.code, "detail": detail, **members})
    _note_unmade(work, step)


def _is_hopeless(work: Work, step: Step) -> bool:
    """Whether a step needs what a refused one would have made: a second refusal would tell nothing.  What it would make itself is none."""
    facts = step.facts
    named = {facts[key] for key in _REFERENCES if isinstance(facts.get(key), str)}
    hopeless = not work.broken.isdisjoint(named.union(facts.get("permissions", ()), facts.get("roles", ())))
    if hopeless:
        _note_unmade(work, step)
    return hopeless


def _note_unmade(work: Work, step: Step) -> None:
    if step.op in ("role.create", "permission.create"):
        work.broken.add(step.facts["name"])


def _runs(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    """The steps one by one; those that give roles, which come together, at once."""
    start = 0
    while start < len(steps):
        end = start + 1
        while (
            steps[start].op == "assignment.create" and end < len(steps) and steps[end].op == steps[start].op
        ):
            end += 1
        yield steps[start:end]
        start = end


def _gift(step: Step, people: People) -> Gift:
    return Gift(holder(step, people), step.facts["role"], terms_of(step.facts))


def told(work: Work, found: Impact) -> dict[str, Any]:
    """The plan as it is answered."""
    parts = shown(work.steps)
    return {
        **parts,
        "gains": found.gains[:MOST_TOLD],
        "losses": found.losses[:MOST_TOLD],
        "violations": work.violations,
        "refusals": work.refusals,
        "sessions_stale": found.sessions_stale,
        "summary": summary(parts),
        "hash": work.hash,
    }


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
