"""Computes what a document would change: steps from the current policy to it, in an applicable order.

An entry of a document is the whole statement of what it is about.  What it leaves out has its default (no
end, active, no second factor, a role's ``permissions`` and ``inherits`` empty); only texts (title,
description, reason) that are left out stay as they are.

An entry that the document does not have stays, unless it is pruned, and then only within sections that it
has. What is built in is never removed, and users are never removed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rbac_api.decision.document import Document, domain_of, holder_of
from rbac_api.decision.document_rules import moment_of
from rbac_api.decision.model import ROOT

Facts = Mapping[str, Any]
Held = tuple[str, str, str, str]
"""``user`` or ``service_account``, the holder's canonical name, the role, the domain."""


@dataclass(frozen=True, slots=True)
class CurrentPolicy:
    """The current policy, by name; moments are text, sets are sorted lists, and what is built in says
    ``system``."""

    permissions: Mapping[str, Facts]
    roles: Mapping[str, Facts]
    constraints: Mapping[str, Facts]
    assignments: Mapping[Held, Facts]
    domains: Mapping[str, Facts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One change: an operation and what it takes to apply, show and undo it; JSON values throughout."""

    op: str
    facts: Facts


def text_of(moment: datetime | None) -> str | None:
    """Return a moment as documents have it: RFC 3339 in UTC, six digits."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def is_over(entry: Facts, at: datetime) -> bool:
    """Return whether an assignment in a document has ended already."""
    ends = moment_of(entry.get("expires_at"))
    return ends is not None and ends <= at


def wanted_terms(entry: Facts, at: datetime) -> dict[str, object]:
    """Return the terms that an assignment of a document asks for; a beginning in the past means that it has
    begun."""
    starts = moment_of(entry.get("starts_at"))
    terms = {
        "starts_at": text_of(starts) if starts and starts > at else None,
        "expires_at": text_of(moment_of(entry.get("expires_at"))),
        "mode": entry.get("mode", "active"),
        "max_duration": entry.get("max_duration"),
    }
    return terms | ({"reason": entry["reason"]} if "reason" in entry else {})


def difference(document: Document, present: CurrentPolicy, at: datetime, *, prune: bool) -> list[Step]:
    """Return the steps in their order: what is in the way goes first, and no user loses one role before
    having the other."""
    pruned = document.said if prune else frozenset[str]()
    old_rules, new_rules = _constraints(document, present, "constraints" in pruned)
    given, ended = _assignments(document, present, at, "assignments" in pruned)
    return [
        *old_rules,
        *_described("domain", document.domains, present.domains),  # by name: the outer one first
        *_described("permission", document.permissions, present.permissions),
        *_roles(document, present),
        *given,
        *ended,
        *(_gone_roles(document, present) if "roles" in pruned else ()),
        *(_gone_permissions(document, present, pruned) if "permissions" in pruned else ()),
        *(_gone_domains(document, present) if "domains" in pruned else ()),
        *new_rules,
    ]


def _described(thing: str, entries: Iterable[Facts], present: Mapping[str, Facts]) -> Iterator[Step]:
    """Yield the changes of what has a title and a description, and nothing else."""
    for entry in by_name(entries):
        name, known = entry["name"], present.get(entry["name"])
        kept = "" if known is None else known["description"]
        wanted = {"title": _title(entry, known), "description": entry.get("description", kept)}
        if known is None:
            yield Step(f"{thing}.create", {"name": name, **wanted})
        elif any(known[key] != value for key, value in wanted.items()):
            yield Step(f"{thing}.update", _changed({"name": name}, known, wanted))


def _title(entry: Facts, known: Facts | None) -> str | None:
    """Return the title that an entry asks for; an empty one is none."""
    kept = known["title"] if known is not None else None
    return entry.get("title", kept) or None


def _roles(document: Document, present: CurrentPolicy) -> Iterator[Step]:
    entries = by_name(document.roles)
    for entry in entries:
        if entry["name"] not in present.roles:
            yield Step("role.create", _new_role(entry))
    for entry in entries:
        known = present.roles.get(entry["name"])
        if known is not None and (wanted := _role_values(entry, known)):
            yield Step("role.update", _changed({"name": entry["name"]}, known, wanted))
    yield from _edges(entries, present, "permissions", "permission")
    yield from _edges(entries, present, "inherits", "inheritance")


def _new_role(entry: Facts) -> dict[str, object]:
    return {
        "name": entry["name"],
        "title": _title(entry, None),
        "description": entry.get("description", ""),
        "requires_mfa": entry.get("requires_mfa", False),
        "permissions": sorted(set(entry.get("permissions", ()))),
    }


def _role_values(entry: Facts, known: Facts) -> dict[str, object]:
    """Return what changes of a role itself; of a built-in one what is left out stays."""
    wanted = {"title": _title(entry, known), "description": entry.get("description", known["description"])}
    if "requires_mfa" in entry or not known["system"]:
        wanted["requires_mfa"] = entry.get("requires_mfa", False)
    return {key: value for key, value in wanted.items() if known[key] != value}


def _edges(entries: list[Facts], present: CurrentPolicy, key: str, thing: str) -> Iterator[Step]:
    """Yield the changes that make roles hold or inherit exactly what their entries say: first removals, then
    additions."""
    ending, beginning = (
        ("permission.withdraw", "permission.grant")
        if thing == "permission"
        else ("inheritance.end", "inheritance.create")
    )
    other, added = "permission" if thing == "permission" else "inherits", []
    for entry in entries:
        known = present.roles.get(entry["name"])
        if known is None and thing == "permission":
            continue  # it is created with them
        wanted, has = set(entry.get(key, ())), set(known[key] if known is not None else ())
        if known is not None and known["system"] and not wanted:
            continue
        added += [Step(beginning, {"role": entry["name"], other: name}) for name in sorted(wanted - has)]
        for name in sorted(has - wanted):
            yield Step(ending, {"role": entry["name"], other: name})
    yield from added


def _gone_roles(document: Document, present: CurrentPolicy) -> Iterator[Step]:
    """Order the roles to remove, seniors first: a role that another inherits cannot be removed."""
    listed = {entry["name"] for entry in document.roles}
    gone = {name for name, known in present.roles.items() if name not in listed and not known["system"]}
    while gone:
        inherited = {junior for name in gone for junior in present.roles[name]["inherits"]}
        free = sorted(gone - inherited) or sorted(
            gone
        )  # all of them: a circle, which the services then refuse
        for name in free:
            known = present.roles[name]
            kept = ("title", "description", "requires_mfa", "permissions", "inherits")
            yield Step("role.delete", {"name": name, **{key: known[key] for key in kept}})
        gone -= set(free)


def _gone_permissions(document: Document, present: CurrentPolicy, pruned: frozenset[str]) -> Iterator[Step]:
    listed = {entry["name"] for entry in document.permissions}
    for name in sorted(present.permissions.keys() - listed):
        known = present.permissions[name]
        if not known["system"]:
            holders = [
                role
                for role, facts in sorted(present.roles.items())
                if name in facts["permissions"] and not facts["system"] and "roles" not in pruned
            ]
            facts = {
                "name": name,
                "title": known["title"],
                "description": known["description"],
                "roles": holders,
            }
            yield Step("permission.delete", facts)


def _gone_domains(document: Document, present: CurrentPolicy) -> Iterator[Step]:
    """Yield the domains to remove, those in a domain before the domain."""
    listed = {entry["name"] for entry in document.domains}
    for name in sorted(present.domains.keys() - listed, reverse=True):
        yield Step("domain.delete", {"name": name, **present.domains[name]})


def _constraints(document: Document, present: CurrentPolicy, prunes: bool) -> tuple[list[Step], list[Step]]:
    """Yield removed and added constraints; a changed one is both."""
    wanted = {entry["name"]: rule_of(entry) for entry in by_name(document.constraints)}
    gone = [
        name
        for name, known in sorted(present.constraints.items())
        if (name in wanted and not _same_rule(known, wanted[name])) or (prunes and name not in wanted)
    ]
    old = [Step("constraint.delete", {"name": name, **present.constraints[name]}) for name in gone]
    new = [
        Step("constraint.create", {"name": name, **rule})
        for name, rule in wanted.items()
        if name not in present.constraints or name in gone
    ]
    return old, new


def rule_of(entry: Facts) -> dict[str, object]:
    """Return what a constraint says, without its name."""
    return {"kind": entry["kind"], "roles": list(entry["roles"]), "limit": entry.get("limit")}


def _same_rule(one: Facts, other: Facts) -> bool:
    """Compare rules: the order of roles matters only for ``requires``, and there only which is the first."""
    first = one["kind"] == "requires"
    return (
        (one["kind"], one["limit"]) == (other["kind"], other["limit"])
        and sorted(one["roles"]) == sorted(other["roles"])
        and (not first or one["roles"][:1] == other["roles"][:1])
    )


def _assignments(
    document: Document, present: CurrentPolicy, at: datetime, prunes: bool
) -> tuple[list[Step], list[Step]]:
    listed: set[Held] = set()
    given: list[Step] = []
    for entry in document.assignments:
        if is_over(entry, at):
            continue
        kind, name = holder_of(entry)
        place = (kind, name, entry["role"], domain_of(entry))
        listed.add(place)
        known = present.assignments.get(place)
        who = {kind: known[kind] if known is not None else entry[kind], "role": entry["role"]}
        who |= {} if domain_of(entry) == ROOT else {"domain": domain_of(entry)}
        terms = wanted_terms(entry, at)
        if known is None:
            given.append(Step("assignment.create", {**who, "reason": None, **terms}))
        elif any(known[key] != value for key, value in terms.items()):
            given.append(Step("assignment.update", _changed(who, known, terms)))
    ended = [
        Step("assignment.end", dict(known))
        for held, known in sorted(present.assignments.items())
        if prunes and held not in listed
    ]
    return sorted(given, key=_place), ended


def _place(step: Step) -> tuple[str, ...]:
    return step.op, *holder_of(step.facts), step.facts["role"], domain_of(step.facts)


def _changed(name: Facts, known: Facts, wanted: Facts) -> dict[str, object]:
    differing = {key: value for key, value in wanted.items() if known[key] != value}
    return {**name, "before": {key: known[key] for key in differing}, "after": differing}


def by_name(entries: Iterable[Facts]) -> list[Facts]:
    """Return the entries in the order of their names."""
    return sorted(entries, key=lambda entry: str(entry["name"]))
