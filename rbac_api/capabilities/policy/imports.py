"""Many assignments from a table, such as a CSV file: row by row checked as a document's entries are, all of them written or none.

Rows go through in batches, so memory does not grow with the file but for one small mark per row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from rbac_api import clock
from rbac_api.capabilities.assignments.service import Gift, give_permitted, give_role, refused_gifts
from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.capabilities.constraints.service import check_deferred
from rbac_api.capabilities.policy import queries
from rbac_api.capabilities.policy.engine import bundled, undone
from rbac_api.capabilities.policy.holders import find_people, terms_of
from rbac_api.capabilities.policy.present import assignments_of
from rbac_api.database.batches import batched
from rbac_api.decision.difference import is_over, wanted_terms
from rbac_api.decision.document import holder_of
from rbac_api.decision.document_form import entry_faults
from rbac_api.errors import MOST_FAULTS, Invalid, ServiceError, listed
from rbac_api.guard.clearance import Clearance

AT_ONCE = 1000
Row = tuple[int, Mapping[str, Any]]  # its line, and its cells by the names of a document's keys
Place = tuple[str, str, str]


class ImportRefused(ServiceError):
    """Nothing was imported; ``errors`` has (line, words) of the first rows that are wrong, of ``count``."""

    code = "import.refused"
    title = "The rows cannot be imported"

    def __init__(self, errors: list[tuple[int, str]], count: int) -> None:
        self.errors, self.count = errors, count
        lines = [f"line {line}: {words}" if line else words for line, words in errors]
        told = f"{count} {'row is' if count == 1 else 'rows are'} wrong; nothing was imported."
        super().__init__("\n".join([told, *(f"  {line}" for line in listed(lines, count))]))


@dataclass(slots=True)
class Imported:
    """How many assignments were made, changed, and there already."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class _Import:
    clearance: Clearance
    done: Imported = field(default_factory=Imported)
    errors: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0  # of wrong rows
    met: set[int] = field(default_factory=set)

    def refuse(self, line: int, words: str) -> None:
        self.count += 1
        if len(self.errors) < MOST_FAULTS:
            self.errors.append((line, words))


def import_assignments(
    clearance: Clearance, rows: Iterable[Row], *, dry_run: bool, progress: Callable[[int], Any]
) -> Imported:
    """All of them or nothing: ``ImportRefused`` names the wrong rows.  A dry run does it all and takes it back."""
    work = _Import(clearance)
    with undone(clearance) if dry_run else nullcontext(), bundled(clearance):
        for some in batched(rows, AT_ONCE):
            _import(work, some)
            progress(len(some))
        if not work.count:
            _check_constraints(work)
    if work.count:
        raise ImportRefused(work.errors, work.count)
    return work.done


def _check_constraints(work: _Import) -> None:
    try:
        check_deferred(work.clearance)
    except ConstraintViolated as refusal:
        for violation in refusal.members["violations"]:
            who = (violation["user"] or {}).get("username", "too many people")
            roles = ", ".join(violation["roles"])
            work.refuse(
                0, f"{who} would hold {roles}, which the constraint {violation['constraint']} forbids"
            )


def _import(work: _Import, rows: list[Row]) -> None:
    now, good = clock.now(), [row for row in rows if _is_good(work, row)]
    people = find_people(work.clearance, {holder_of(entry)[1] for _, entry in good})
    ids = [target.id for target in people.values() if target.id]
    present = assignments_of(queries.list_assignments_of(work.clearance.connection, ids, now), now)
    gifts: list[tuple[int, Gift]] = []
    for line, entry in good:
        kind, name = holder_of(entry)
        place, wanted = (kind, name, entry["role"]), wanted_terms(entry, now)
        if (kind, name) not in people:
            work.refuse(line, f"user {entry['user']} is unknown")
            continue
        gift, known = Gift(people[kind, name], entry["role"], terms_of(wanted)), present.get(place)
        if known is None:
            gifts.append((line, gift))
        elif all(known[key] == value for key, value in wanted.items()):
            work.done.unchanged += 1
        else:
            _change(work, line, gift)
    _give(work, gifts)


def _is_good(work: _Import, row: Row) -> bool:
    """Whether the row by itself can be meant; a second one about the same would undo the first."""
    line, entry = row
    faults = [words for _, words in entry_faults("assignments", entry)]
    if not faults and is_over(entry, clock.now()):
        faults = ["expires_at is past"]
    if not faults:
        mark = hash((*holder_of(entry), entry["role"]))
        faults = [f"{entry['user']} with {entry['role']} comes a second time"] if mark in work.met else []
        work.met.add(mark)
    if faults:
        work.refuse(line, "; ".join(faults))
    return not faults


def _give(work: _Import, gifts: list[tuple[int, Gift]]) -> None:
    give = refused_gifts if work.count else give_permitted  # once a row is wrong nothing will be imported
    refused = give(work.clearance, [gift for _, gift in gifts])
    for place, refusal in refused.items():
        work.refuse(gifts[place][0], _words(refusal))
    work.done.created += len(gifts) - len(refused)


def _change(work: _Import, line: int, gift: Gift) -> None:
    try:
        give_role(work.clearance, gift.holder, gift.role, gift.terms)
        work.done.changed += 1
    except ServiceError as refusal:
        work.refuse(line, _words(refusal))


def _words(refusal: ServiceError) -> str:
    faults = refusal.faults if isinstance(refusal, Invalid) else ()
    return " ".join(fault.detail for fault in faults) or refusal.detail
