"""Reads the document format for domains, permissions, roles, rules, users and assignments: seeds, plans.

    domains:     [{name, title?, description?}]
    permissions: [{name, title?, description}]
    roles:       [{name, home?, title?, description?, grants?: all | reads, requires_mfa?: bool,
                   permissions?: [], inherits?: []}]
    constraints: [{name, home?, kind: static | dynamic | max-holders | requires, roles: [], limit?}]
    users:       [{username, display_name?, email?, home?}]  # only in seeds
    assignments: [{user | service_account, role, domain?, reason?, starts_at?, expires_at?,
                   mode?: active | eligible, max_duration?}]

Every section may be missing.  ``read_document`` takes the value that a YAML or JSON reader returned.  It
returns a ``Document`` or reports everything that is wrong.  Moments are RFC 3339 text; ``document_form`` has
the form of the entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rbac_api.decision.document_form import FORMS, document_schema, entry_faults
from rbac_api.decision.document_rules import INVALID, TOGETHER, UNKNOWN, Entry, full_name, moment_of
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import ROOT, Role
from rbac_api.decision.names import canonical
from rbac_api.decision.naming import folded
from rbac_api.errors import Fault, ServiceError, listed

__all__ = [
    "Document",
    "DocumentRefused",
    "document_schema",
    "domain_of",
    "holder_of",
    "moment_of",
    "read_document",
]


class DocumentRefused(ServiceError):
    """The document cannot be loaded; ``faults`` says where and why, ``places`` the same with pointers and
    codes."""

    code = "document.refused"
    title = "The document cannot be loaded"

    def __init__(self, faults: Iterable[Fault | str]) -> None:
        self.places = [Fault("", INVALID, fault) if isinstance(fault, str) else fault for fault in faults]
        self.faults = [fault.detail for fault in self.places]
        lines = [f"  - {line}" for line in listed(self.faults)]
        super().__init__("\n".join(["The document cannot be loaded:", *lines]))


@dataclass(frozen=True, slots=True)
class Document:
    """A document whose form is right; the caller that loads it checks whether its names exist."""

    domains: tuple[Entry, ...] = ()
    permissions: tuple[Entry, ...] = ()
    roles: tuple[Entry, ...] = ()
    constraints: tuple[Entry, ...] = ()
    users: tuple[Entry, ...] = ()
    assignments: tuple[Entry, ...] = ()
    said: frozenset[str] = frozenset()  # the sections that the document has, even if empty


def read_document(raw: object) -> Document:
    """Check the form and return the document; ``DocumentRefused`` with every fault."""
    if not isinstance(raw, dict):
        raise DocumentRefused([f"the document must be a mapping with the sections {', '.join(FORMS)}"])
    faults = [
        _fault((section,), f"{section}: unknown section", UNKNOWN) for section in raw if section not in FORMS
    ]
    sections: dict[str, tuple[Entry, ...]] = {}
    for section in FORMS:
        entries = raw.get(section, [])
        faults += _section_faults(section, entries)
        sections[section] = tuple(entries) if isinstance(entries, list) else ()
    if not faults:
        sections |= {section: tuple(map(_named, sections[section])) for section in ("roles", "constraints")}
        faults += _circles(sections["roles"])
    if faults:
        raise DocumentRefused(faults)
    return Document(**sections, said=frozenset(raw))


def holder_of(entry: Entry) -> tuple[str, str]:
    """Return the holder of an assignment: (``user`` or ``service_account``, the name in its canonical
    form)."""
    kind = "service_account" if "service_account" in entry else "user"
    return kind, canonical(str(entry.get(kind)))


def domain_of(entry: Entry) -> str:
    """Return the domain of an assignment, which an entry of ``root`` leaves out."""
    return str(entry.get("domain") or ROOT)


def _named(entry: Entry) -> Entry:
    """Return an entry whose home is part of its name."""
    rest = {key: value for key, value in entry.items() if key != "home"}
    return {**rest, "name": full_name(entry)}


def _circles(roles: tuple[Entry, ...]) -> Iterator[Fault]:
    """Report roles that would inherit themselves."""
    edges = [(role["name"], junior) for role in roles for junior in role.get("inherits", [])]
    for circle in RoleGraph.compile((Role(role["name"]) for role in roles), (), edges).cycles:
        yield _fault(("roles",), f"roles: {', '.join(circle)} inherit themselves", TOGETHER)


def _section_faults(section: str, entries: object) -> Iterator[Fault]:
    if not isinstance(entries, list):
        yield _fault((section,), f"{section}: must be a list")
        return
    for number, entry in enumerate(entries):
        where = f"{section}[{number + 1}]"
        if not isinstance(entry, dict):
            yield _fault((section, number), f"{where}: must be a mapping")
            continue
        for place, words, code in entry_faults(section, entry):
            yield _fault((section, number, *place), f"{where}: {words}", code)
    yield from _repetitions(section, [entry for entry in entries if isinstance(entry, dict)])


def _repetitions(section: str, entries: list[Entry]) -> Iterator[Fault]:
    """Report an entry that repeats or contradicts an earlier one: one of the two would be ignored
    silently."""
    spelled: dict[tuple[str, ...], list[str]] = {}
    for entry in entries:
        spelled.setdefault(_identity(section, entry), []).append(str(entry.get("name")))
    for name, spellings in spelled.items():
        if len(set(spellings)) > 1:
            names = " and ".join(sorted(set(spellings)))
            yield _fault((section,), f"{section}: {names} differ by case alone; use one of them", TOGETHER)
        elif len(spellings) > 1:
            yield _fault(
                (section,), f"{section}: {' with '.join(name)} comes {len(spellings)} times", TOGETHER
            )


def _identity(section: str, entry: Entry) -> tuple[str, ...]:
    if section == "assignments":
        kind, holder = holder_of(entry)
        at = "" if domain_of(entry) == ROOT else f" at {domain_of(entry)}"
        return (f"{kind.replace('_', ' ')} {holder}", f"{entry.get('role')}{at}")
    if section == "users":
        return (canonical(str(entry.get("username"))),)
    if section in ("roles", "constraints") and "name" in entry:
        return (folded(full_name(entry)),)
    return (folded(str(entry.get("name"))),)


def _fault(path: tuple[object, ...], words: str, code: str = INVALID) -> Fault:
    """Build a fault; keys come from the author of the document, so they are escaped in a pointer."""
    steps = ("/" + str(step)[:200].replace("~", "~0").replace("/", "~1") for step in path)
    return Fault("".join(steps), code, words)
