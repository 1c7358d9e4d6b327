"""The part of the policy that is in one domain, and what a document of that domain may name. Part of the
service.

In a domain are the domains below it, the roles and constraints that are at home there or below, and the
assignments there or below of accounts that are at home there or below. ``Clearance.domain`` says which
domain; in ``root`` is everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from rbac_api.capabilities.policy.state import State
from rbac_api.decision.difference import CurrentPolicy, Facts, Step
from rbac_api.decision.document import Document, domain_of
from rbac_api.decision.domains import home_of, is_in, lineage, parent_of
from rbac_api.decision.evaluate import ESCALATE
from rbac_api.decision.model import ROOT
from rbac_api.errors import Fault, Invalid


def require_inside(document: Document, domain: str) -> None:
    """422 for every entry that is about something outside the domain."""
    if faults := tuple(_outside(document, domain)):
        raise Invalid(faults=faults)


def is_inside(step: Step, domain: str) -> bool:
    """Whether a step is about something in the domain, as far as names tell."""
    thing, facts = step.op.partition(".")[0], step.facts
    if domain == ROOT:
        return True
    if thing == "domain":
        return _is_below(facts["name"], domain)
    if thing == "assignment":
        return is_in(domain_of(facts), domain)
    # A permission itself is at home at root, as its name, without an @, says
    return is_in(home_of(facts.get("role") or facts["name"]), domain)


def part_in(present: CurrentPolicy, domain: str) -> CurrentPolicy:
    """What of the policy is in the domain; the accounts are those of the domain already."""
    if domain == ROOT:
        return present
    return CurrentPolicy(
        {},
        _at_home(present.roles, domain),
        _at_home(present.constraints, domain),
        {held: facts for held, facts in present.assignments.items() if is_in(held[3], domain)},
        {name: facts for name, facts in present.domains.items() if _is_below(name, domain)},
    )


def nameable(state: State, present: CurrentPolicy, domain: str) -> CurrentPolicy:
    """What a document of the domain may name: roles of the domain and, as if they were built in, since it
    cannot remove them, those of the domains that it is in; the permissions that the caller holds, and those
    that roles of the domain hold."""
    if domain == ROOT:
        return present
    part, above, held = part_in(present, domain), lineage(domain)[1:], state.clearance.held
    usable = set(held).union(*(facts["permissions"] for facts in part.roles.values()))
    everything = state.clearance.unbounded or ESCALATE in held
    return replace(
        part,
        roles={**part.roles, **_kept({n: f for n, f in present.roles.items() if home_of(n) in above})},
        permissions=_kept({n: f for n, f in present.permissions.items() if everything or n in usable}),
    )


def _kept(things: Mapping[str, Facts]) -> dict[str, Facts]:
    return {name: {**facts, "system": True} for name, facts in things.items()}


def _at_home(things: Mapping[str, Facts], domain: str) -> dict[str, Facts]:
    return {name: facts for name, facts in things.items() if is_in(home_of(name), domain)}


def _is_below(name: str, domain: str) -> bool:
    return name != domain and is_in(name, domain)


def _outside(document: Document, domain: str) -> Iterator[Fault]:
    if domain == ROOT:
        return
    for number, entry in enumerate(document.permissions):
        yield _fault(f"/permissions/{number}", f"permission {entry['name']}", ROOT, domain)
    for number, entry in enumerate(document.domains):
        if not _is_below(entry["name"], domain):
            yield _fault(
                f"/domains/{number}/name", f"domain {entry['name']}", parent_of(entry["name"]), domain
            )
    for kind, entries in (("role", document.roles), ("constraint", document.constraints)):
        for number, entry in enumerate(entries):
            if not is_in(home := home_of(entry["name"]), domain):
                yield _fault(f"/{kind}s/{number}/name", f"{kind} {entry['name']}", home, domain)
    yield from _assigned_outside(document, domain)


def _assigned_outside(document: Document, domain: str) -> Iterator[Fault]:
    for number, entry in enumerate(document.assignments):
        if not is_in(place := domain_of(entry), domain):
            where = f"/assignments/{number}" + ("/domain" if "domain" in entry else "")
            yield _fault(where, f"assignment of {entry['role']}", place, domain)


def _fault(pointer: str, what: str, place: str, domain: str) -> Fault:
    return Fault(pointer, "policy.outside", f"{what}: at {place}, but this document is of {domain}")
