"""Loads documents: the built-in part at every start, seeds when asked."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from rbac_api import clock
from rbac_api.capabilities.assignments.service import where
from rbac_api.capabilities.permissions.service import is_permission_as_built_in, reconcile_permission
from rbac_api.capabilities.policy import queries
from rbac_api.capabilities.policy.current_state import find_current_policy
from rbac_api.capabilities.policy.engine import (
    apply_steps,
    apply_work,
    load_accounts,
    with_outdated,
    write,
)
from rbac_api.capabilities.policy.reading import separate_unit
from rbac_api.capabilities.policy.references import unknown_names
from rbac_api.capabilities.policy.state import State, load_state
from rbac_api.capabilities.policy.work import Work
from rbac_api.capabilities.roles.service import is_role_as_built_in, reconcile_role
from rbac_api.database.engine import batched
from rbac_api.decision.difference import CurrentPolicy, Step, by_name, is_over, rule_of, wanted_terms
from rbac_api.decision.document import Document, DocumentRefused, domain_of, holder_of, read_document
from rbac_api.decision.document_rules import Entry
from rbac_api.decision.names import canonical
from rbac_api.formats.strict_yaml import YamlRefused, parse_yaml
from rbac_api.formats.text_files import TextUnreadable, unicode_text
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.resources import resource
from rbac_api.trail.recorder import Target

SYSTEM = resource("seed_data", "system.yaml")
EXAMPLE = resource("seed_data", "example_company.yaml")
Progress = Callable[[], Any]
ENTRIES_PER_TRANSACTION = 500  # users, or assignments, written in one transaction
ENTRY_KINDS = ("domains", "permissions", "roles", "constraints", "users", "assignments")


@dataclass(slots=True)
class Loaded:
    """How many entries of each kind a document added; existing ones are not counted."""

    domains: int = 0
    permissions: int = 0
    roles: int = 0
    constraints: int = 0
    users: int = 0
    assignments: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, other: Loaded) -> None:
        """Add the numbers of another part of the document."""
        for kind in ENTRY_KINDS:
            setattr(self, kind, getattr(self, kind) + getattr(other, kind))
        self.notes += other.notes

    @property
    def total(self) -> int:
        """The number of all entries that were added."""
        return sum(getattr(self, kind) for kind in ENTRY_KINDS)


def read_file(path: Path) -> Document:
    """A document from a YAML (or JSON, its subset) file; ``DocumentRefused`` names what is wrong with it."""
    try:
        return read_document(parse_yaml(unicode_text(path.read_bytes())))
    except OSError as fault:
        raise DocumentRefused([f"{path} cannot be read: {fault.strerror}"]) from fault
    except TextUnreadable as fault:
        raise DocumentRefused([f"{path} cannot be read: {fault}; save it as UTF-8"]) from fault
    except YamlRefused as fault:
        raise DocumentRefused([f"{path} is not YAML: {fault}"]) from fault


def is_system_as_built_in(clearance: Clearance, document: Document) -> bool:
    """Whether ``reconcile_system`` would change nothing.

    It only reads, so that a start need not wait for writers.
    """
    return all(
        is_permission_as_built_in(clearance, entry["name"], entry["description"])
        for entry in document.permissions
    ) and all(
        is_role_as_built_in(clearance, entry["name"], entry["description"], entry["grants"])
        for entry in document.roles
    )


def reconcile_system(clearance: Clearance, document: Document) -> int:
    """Restore this service's own permissions and built-in roles to what the document says; custom ones stay
    untouched.

    Returns how many were changed.
    """
    changed = sum(
        reconcile_permission(clearance, entry["name"], entry["description"]) for entry in document.permissions
    )
    changed += sum(
        reconcile_role(clearance, entry["name"], entry["description"], entry["grants"])
        for entry in document.roles
    )
    return changed


def load_document(
    clearance: Clearance, document: Document, name: str, progress: Progress = lambda: None
) -> Loaded:
    """Add what is in the document and not in the database, all or nothing, in the clearance's unit. Nothing
    is changed or removed.

    ``progress`` is called once per entry. An assignment that is over already is left out, with a note.
    """
    loaded = Loaded()
    write(clearance, with_outdated(_added(clearance, document, loaded, progress)))
    _record(clearance, name, loaded)
    return loaded


def seed(clearance: Clearance, document: Document, name: str, progress: Callable[[int], object]) -> Loaded:
    """Add the same in parts, so that other writers get their turn in between.

    First the whole document is checked. Then come roles, users (a few hundred at a time), their assignments,
    and constraints. What was added stays if a later part fails; seeding again continues there. ``progress``
    is called with numbers of entries.
    """
    with separate_unit(clearance) as reader:
        _added(reader, document, Loaded(), lambda: None)
    loaded = Loaded()
    for part in _parts(document):
        loaded.add(_seed_part(clearance, part))
        clearance.work.release()
        progress(_length(part))
    _record(clearance, name, loaded)
    return loaded


def _seed_part(clearance: Clearance, part: Document) -> Loaded:
    loaded = Loaded()

    def compute(reader: Clearance) -> Work:
        nonlocal loaded
        loaded = Loaded()
        return _added(reader, part, loaded, lambda: None)

    apply_work(clearance, compute)
    return loaded


def _parts(document: Document) -> Iterator[Document]:
    """The document in parts; an account's assignments stay together, since one may require another."""
    if document.domains or document.permissions or document.roles:
        yield Document(document.domains, document.permissions, document.roles)
    for users in batched(document.users, ENTRIES_PER_TRANSACTION):
        yield Document(users=tuple(users))
    held = sorted(document.assignments, key=holder_of)
    whole = ([*entries] for _, entries in groupby(held, key=holder_of))
    for some in _together(whole):
        yield Document(assignments=tuple(some))
    if document.constraints:
        yield Document(constraints=document.constraints)


def _together(groups: Iterable[list[Entry]]) -> Iterator[list[Entry]]:
    """Groups, joined until there are enough entries."""
    some: list[Entry] = []
    for group in groups:
        some += group
        if len(some) >= ENTRIES_PER_TRANSACTION:
            yield some
            some = []
    if some:
        yield some


def _length(part: Document) -> int:
    return sum(len(getattr(part, kind)) for kind in ENTRY_KINDS)


def _record(clearance: Clearance, name: str, loaded: Loaded) -> None:
    if loaded.total:
        counts = {kind: getattr(loaded, kind) for kind in ENTRY_KINDS}
        clearance.record("seed.loaded", Target("document", name, name), after=counts)


def _added(clearance: Clearance, document: Document, loaded: Loaded, progress: Progress) -> Work:
    """Compute it, and raise what is refused."""
    present = _require_known(load_state(clearance, clock.now()), document)
    steps = []
    for kind, step in _additions(document, present, loaded):
        if step is not None:
            steps.append(step)
        if kind:
            setattr(loaded, kind, getattr(loaded, kind) + (step is not None))
            progress()
    work = apply_steps(present.state, steps)
    work.require_permitted()
    return work


@dataclass(frozen=True, slots=True)
class _Existing:
    """What exists already; and which names of the document belong, or belonged, to an account, and whether it
    still exists."""

    state: State
    present: CurrentPolicy
    accounts: Mapping[str, bool]


def _additions(document: Document, there: _Existing, loaded: Loaded) -> Iterator[tuple[str, Step | None]]:
    """What each entry adds, in the order in which it can be added; None for an entry that exists. A role's
    inheritance is no entry."""
    present = there.present
    yield from _missing("domain", by_name(document.domains), present.domains)  # the outer one first
    yield from _missing("permission", document.permissions, present.permissions)
    new = [entry for entry in document.roles if entry["name"] not in present.roles]
    for entry in document.roles:
        yield "roles", Step("role.create", entry) if entry["name"] not in present.roles else None
    for entry in new:
        for junior in sorted(entry.get("inherits", ())):
            yield "", Step("inheritance.create", {"role": entry["name"], "inherits": junior})
    for entry in document.users:
        missing = canonical(entry["username"]) not in there.accounts
        yield "users", Step("user.create", entry) if missing else None
    for entry in document.assignments:
        yield "assignments", _assignment(entry, there, loaded)
    for entry in document.constraints:
        rule = {"name": entry["name"], **rule_of(entry)}
        yield (
            "constraints",
            Step("constraint.create", rule) if rule["name"] not in present.constraints else None,
        )


def _missing(
    kind: str, entries: Iterable[Entry], present: Container[object]
) -> Iterator[tuple[str, Step | None]]:
    for entry in entries:
        yield f"{kind}s", Step(f"{kind}.create", entry) if entry["name"] not in present else None


def _assignment(entry: Mapping[str, object], there: _Existing, loaded: Loaded) -> Step | None:
    """The assignment to add; None also for a deleted account, whose name is never used again."""
    (kind, name), role, now = holder_of(entry), entry["role"], there.state.at
    if is_over(entry, now):
        loaded.notes.append(f"{entry[kind]} with {role} was over at {entry['expires_at']}: left out")
        return None
    place = (kind, name, role, domain_of(entry))
    if place in there.present.assignments or not there.accounts.get(name, True):
        return None
    terms = wanted_terms(entry, now)
    named = {kind: entry[kind], "role": role, **where(domain_of(entry))}
    return Step("assignment.create", {**named, "reason": None, **terms})


def _require_known(state: State, document: Document) -> _Existing:
    """Every name that a document refers to is in it or in the database.

    A deleted account counts as known: its roles are not assigned again, and that is no fault of the document.
    """
    added = {holder_of({"user": entry["username"]}) for entry in document.users}
    named = added | {holder_of(entry) for entry in document.assignments}
    secret = state.clearance.settings.secret_key
    rows = list(queries.list_names(state.connection, secret, {name for _, name in named}))
    known = {("service_account" if row.kind == "service" else "user", row.username_canonical) for row in rows}
    domains = state.note_places(document)
    present = find_current_policy(state, load_accounts(state, {name for _, name in known}))
    unknown = unknown_names(document, present, added | known, domains, prune=False)
    faults = [fault.detail for fault in unknown]
    others = {name for _, name in known}
    faults += [
        f"user {name}: a service account has this name"
        for kind, name in sorted(added - known)
        if name in others
    ]
    if faults:
        raise DocumentRefused(faults)
    return _Existing(state, present, {row.username_canonical: row.status != "deleted" for row in rows})
