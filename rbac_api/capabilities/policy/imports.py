"""Imports many assignments from a table, such as a CSV file: all of them or none.

Each row is checked like an entry of a document. All rows are in memory until they are written, with one or
two kilobytes each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rbac_api import clock
from rbac_api.capabilities.assignments.service import Terms
from rbac_api.capabilities.policy import queries
from rbac_api.capabilities.policy.assigning import give_role
from rbac_api.capabilities.policy.current_state import assignments_of
from rbac_api.capabilities.policy.engine import (
    apply_work,
    finish_work,
    judge,
    load_accounts,
    start_work,
)
from rbac_api.capabilities.policy.holders import terms_of
from rbac_api.capabilities.policy.reading import separate_unit
from rbac_api.capabilities.policy.state import Account, load_state
from rbac_api.capabilities.policy.work import Work
from rbac_api.database.engine import batched
from rbac_api.database.types import is_id
from rbac_api.decision.difference import is_over, wanted_terms
from rbac_api.decision.document import domain_of, holder_of
from rbac_api.decision.document_form import entry_faults
from rbac_api.decision.model import ROOT
from rbac_api.decision.names import canonical
from rbac_api.errors import MAX_FAULTS, Invalid, ServiceError, listed
from rbac_api.guard.enforcement.clearance import Clearance

ROWS_PER_BATCH = 1000
MAX_VALUE_LENGTH = 100  # characters of a wrong value
Row = tuple[int, Mapping[str, Any]]  # its line number, and its cells by the keys of a document
Place = tuple[str, str, str, str]


class ImportRefused(ServiceError):
    """Nothing was imported; ``errors`` has (line, words) of the first wrong rows, of ``count``."""

    code = "import.refused"
    title = "The rows cannot be imported"

    def __init__(self, errors: list[tuple[int, str]], count: int) -> None:
        self.errors, self.count = errors, count
        lines = [f"line {line}: {words}" if line else words for line, words in errors]
        summary = f"{count} {'row is' if count == 1 else 'rows are'} wrong; nothing was imported."
        super().__init__("\n".join([summary, *(f"  {line}" for line in listed(lines, count))]))


@dataclass(slots=True)
class Imported:
    """How many assignments were created, changed, and already there."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class _Import:
    work: Work
    done: Imported = field(default_factory=Imported)
    errors: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0  # of wrong rows
    met: set[int] = field(default_factory=set)
    present: dict[Place, Mapping[str, object]] = field(default_factory=dict)

    def refuse(self, line: int, words: str) -> None:
        self.count += 1
        if len(self.errors) < MAX_FAULTS:
            self.errors.append((line, words))


def import_assignments(
    clearance: Clearance, rows: Iterable[Row], *, dry_run: bool, progress: Callable[[int], object]
) -> Imported:
    """Import all rows or none: ``ImportRefused`` names the wrong rows.

    Everything is computed before the lock is taken, and then written at once; a dry run ends before that.
    """
    wanted, found = list(rows), Imported()

    def compute(reader: Clearance) -> Work:
        nonlocal found
        made = _compute_import(reader, wanted, progress)
        if made.count:
            raise ImportRefused(made.errors, made.count)
        found = made.done
        return made.work

    if dry_run:
        with separate_unit(clearance) as reader:
            compute(reader)
    else:
        apply_work(clearance, compute)
    return found


def _compute_import(clearance: Clearance, rows: list[Row], progress: Callable[[int], object]) -> _Import:
    made = _Import(start_work(load_state(clearance, clock.now())))
    for some in batched(rows, ROWS_PER_BATCH):
        _import(made, some)
        progress(len(some))
    if not made.count:
        judge(made.work)
        _tell_violations(made)
    finish_work(made.work)
    return made


def _tell_violations(made: _Import) -> None:
    for violation in made.work.violated.members["violations"] if made.work.violated else ():
        who = (violation["user"] or {}).get("username", "too many people")
        roles = ", ".join(violation["roles"])
        roles += "" if violation["domain"] == ROOT else f" at {violation['domain']}"
        made.refuse(0, f"{who} would hold {roles}, which the constraint {violation['constraint']} forbids")


def _import(made: _Import, rows: list[Row]) -> None:
    state = made.work.state
    good = [row for row in _by_username(made, rows) if _is_good(made, row)]
    new = {name for name in (holder_of(entry) for _, entry in good) if name not in state.names}
    made.present |= assignments_of(load_accounts(state, {name for _, name in new}), state.at)
    for line, entry in good:
        kind, name = holder_of(entry)
        wanted, account = wanted_terms(entry, state.at), state.names.get((kind, name))
        known = made.present.get((kind, name, entry["role"], domain_of(entry)))
        if account is None:
            made.refuse(line, _unknown(entry["user"], is_service=("service_account", name) in state.names))
        elif known is not None and all(known[key] == value for key, value in wanted.items()):
            made.done.unchanged += 1
        else:
            terms = replace(terms_of(wanted), domain=domain_of(entry))
            _give(made, line, (account, entry["role"], terms), new=known is None)


def _by_username(made: _Import, rows: list[Row]) -> Iterator[Row]:
    """The rows, with usernames in place of ids, and of e-mail addresses that belong to one user; an equal
    username takes precedence over an address."""
    connection = made.work.state.connection
    named = {canonical(str(entry.get("user"))) for _, entry in rows}
    mails = {name for name in named if "@" in name}
    mails -= {row.username_canonical for row in queries.list_accounts(connection, mails)}
    found: dict[str | None, list[str]] = {}
    for row in queries.list_people_of_mail(connection, mails):
        found.setdefault(row.email_canonical, []).append(row.username)
    for row in queries.list_people(connection, filter(is_id, named)):
        found[row.id] = [row.username]
    for line, entry in rows:
        names = found.get(canonical(str(entry.get("user"))), ())
        if len(names) > 1:
            many = ", ".join(sorted(names))
            made.refuse(line, f"user {entry['user']} is the e-mail address of {many}; write the username")
        else:
            yield line, {**entry, "user": names[0]} if names else entry


def _unknown(user: str, *, is_service: bool) -> str:
    if is_service:
        return f"user {user} is a service account; give it roles with a policy document"
    return f"user {user} is unknown; create the user first, or correct the name"


def _give(made: _Import, line: int, wanted: tuple[Account, str, Terms], *, new: bool) -> None:
    account, role, terms = wanted
    try:
        give_role(made.work.state, account, role, terms)
    except ServiceError as refusal:
        made.refuse(line, _words(refusal))
    else:
        made.done.created += new
        made.done.changed += not new


def _is_good(made: _Import, row: Row) -> bool:
    """Whether the row is valid by itself; a second row about the same account and role would undo the
    first."""
    line, entry = row
    faults = [
        _with_value(fault.words, entry.get(str(fault.place[0])))
        for fault in entry_faults("assignments", entry)
    ]
    if not faults and is_over(entry, clock.now()):
        faults = ["expires_at is past"]
    if not faults:
        mark = hash((*holder_of(entry), entry["role"], domain_of(entry)))
        faults = [f"{entry['user']} with {entry['role']} comes a second time"] if mark in made.met else []
        made.met.add(mark)
    if faults:
        made.refuse(line, "; ".join(faults))
    return not faults


def _with_value(words: str, value: object) -> str:
    shown = repr(value)
    if value is None or shown in words:
        return words
    return f"{words}; it is {shown if len(shown) <= MAX_VALUE_LENGTH else f'{shown[:MAX_VALUE_LENGTH]}…'}"


def _words(refusal: ServiceError) -> str:
    faults = refusal.faults if isinstance(refusal, Invalid) else ()
    return " ".join(fault.detail for fault in faults) or refusal.detail
