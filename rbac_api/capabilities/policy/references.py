"""Checks that everything a document names exists, or will."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping

from rbac_api.decision.difference import CurrentPolicy, Facts
from rbac_api.decision.document import Document, domain_of, holder_of
from rbac_api.decision.domains import home_of, parent_of
from rbac_api.decision.model import ROOT
from rbac_api.errors import Fault, Invalid

People = Collection[tuple[str, str]]  # accounts that exist, or will: their kinds and canonical names


def require_known(
    document: Document, present: CurrentPolicy, people: People, domains: Collection[str], *, prune: bool
) -> None:
    """422 for every unknown name, and for a document with a section ``users``. ``domains`` are those that
    exist and stay."""
    unknown = unknown_names(document, present, people, domains, prune=prune)
    if faults := [*_people_in_seeds(document), *unknown]:
        raise Invalid(faults=tuple(faults))


def unknown_names(
    document: Document, present: CurrentPolicy, people: People, domains: Collection[str], *, prune: bool
) -> list[Fault]:
    """One fault per unknown name."""
    roles = _known(document.roles, present.roles, prune and "roles" in document.said)
    permissions = _known(document.permissions, present.permissions, prune and "permissions" in document.said)
    there = {ROOT, *domains, *(str(entry["name"]) for entry in document.domains)}
    return [
        *_domains(document, there),
        *_homes(document, there),
        *_roles(document, present, roles, permissions),
        *_constraints(document, roles),
        *_assignments(document, roles, people, there),
    ]


def _known(entries: Iterable[Facts], present: Mapping[str, Facts], pruned: bool) -> set[str]:
    """The names that will exist: without those that are pruned."""
    kept = {name for name, facts in present.items() if facts["system"] or not pruned}
    return kept | {str(entry["name"]) for entry in entries}


def _domains(document: Document, domains: Container[str]) -> Iterator[Fault]:
    for number, entry in enumerate(document.domains):
        if (parent := parent_of(entry["name"])) not in domains:
            detail = f"domain {entry['name']}: the domain {parent}, which it is in, is unknown; list it too"
            yield Fault(f"/domains/{number}/name", "policy.name_unknown", detail)


def _homes(document: Document, domains: Container[str]) -> Iterator[Fault]:
    for number, entry in enumerate(document.users):
        if (home := entry.get("home", ROOT)) not in domains:
            detail = f"user {entry['username']}: the domain {home}, the home, is unknown; list it too"
            yield Fault(f"/users/{number}/home", "policy.name_unknown", detail)
    for kind, entries in (("role", document.roles), ("constraint", document.constraints)):
        for number, entry in enumerate(entries):
            if (home := home_of(entry["name"])) not in domains:
                detail = f"{kind} {entry['name']}: the domain {home}, its home, is unknown; list it too"
                yield Fault(f"/{kind}s/{number}/name", "policy.name_unknown", detail)


def _people_in_seeds(document: Document) -> Iterator[Fault]:
    """A fault if the document has a section ``users``: only seeds have it."""
    if "users" in document.said:
        detail = "users is for seed files; accounts are made with POST /v1/users."
        yield Fault("/users", "policy.users", detail)


def _roles(
    document: Document, present: CurrentPolicy, roles: set[str], permissions: set[str]
) -> Iterator[Fault]:
    for number, entry in enumerate(document.roles):
        for key, known in (("permissions", permissions), ("inherits", roles)):
            for place, name in enumerate(entry.get(key, ())):
                if name not in known:
                    detail = f"role {entry['name']}: {key} {name} is unknown"
                    yield Fault(f"/roles/{number}/{key}/{place}", "policy.name_unknown", detail)
        built_in = present.roles.get(entry["name"], {}).get("system", False)
        if entry.get("grants", "listed") != "listed" and not built_in:
            detail = f"role {entry['name']}: only built-in roles have grants; list its permissions"
            yield Fault(f"/roles/{number}/grants", "policy.entry_invalid", detail)


def _constraints(document: Document, roles: set[str]) -> Iterator[Fault]:
    for number, entry in enumerate(document.constraints):
        for place, role in enumerate(entry["roles"]):
            if role not in roles:
                detail = f"constraint {entry['name']}: role {role} is unknown"
                yield Fault(f"/constraints/{number}/roles/{place}", "policy.name_unknown", detail)


def _assignments(
    document: Document, roles: set[str], people: People, domains: Container[str]
) -> Iterator[Fault]:
    for number, entry in enumerate(document.assignments):
        kind, name = holder_of(entry)
        if entry["role"] not in roles:
            detail = f"assignment of {entry[kind]}: role {entry['role']} is unknown"
            yield Fault(f"/assignments/{number}/role", "policy.name_unknown", detail)
        if domain_of(entry) not in domains:
            detail = f"assignment of {entry['role']}: domain {domain_of(entry)} is unknown; list it too"
            yield Fault(f"/assignments/{number}/domain", "policy.name_unknown", detail)
        if (kind, name) not in people:
            detail = f"assignment of {entry['role']}: {kind.replace('_', ' ')} {entry[kind]} is unknown"
            yield Fault(f"/assignments/{number}/{kind}", "policy.name_unknown", detail)
