"""Domains: places in a tree where assignments count.

An assignment has a domain, and a question has a domain.  Of a subject's assignments those count whose domain
is the one of the question, or an ancestor of it.  A domain is named by its path, so that its ancestors follow
from the name: ``acme.eu`` is in ``acme``, which is in ``root``, but ``acme2`` is not in ``acme``.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace

from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import ROOT, Assignment, Subject

SEPARATOR = "."


def lineage(domain: str) -> tuple[str, ...]:
    """Return a domain and all its ancestors, the nearest first, ``root`` last."""
    found: list[str] = []
    while domain and domain != ROOT:
        found.append(domain)
        domain = domain.rpartition(SEPARATOR)[0]
    return (*found, ROOT)


def parent_of(domain: str) -> str:
    """Return the domain that this one is directly in; that of ``root`` is ``root``."""
    return domain.rpartition(SEPARATOR)[0] or ROOT


def nearest(domain: str, known: Container[str]) -> str:
    """Return the domain, or its nearest ancestor, that is known; ``root`` if none is."""
    while domain and domain not in known:
        domain = domain.rpartition(SEPARATOR)[0]
    return domain or ROOT


def outermost(domains: Iterable[str]) -> tuple[str, ...]:
    """Return those of the domains that are in no other of them, by name; no one is ``root``."""
    all_of_them = frozenset(domains)
    return tuple(sorted(one for one in all_of_them if nearest(parent_of(one), all_of_them) == ROOT))


def is_in(domain: str, other: str) -> bool:
    """Return whether the domain is the other one, or in it."""
    return other in lineage(domain)


def home_of(name: str) -> str:
    """Return the home of a role or a constraint, which its name ends with: ``manager@acme``; without one,
    ``root``."""
    return name.rpartition("@")[2] if "@" in name else ROOT


def common(some: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    """Return the outermost domains that are in one of each; ``root`` is the domain that all others are in."""
    first, second = tuple(some), tuple(others)
    inside = [one for one in first if any(is_in(one, other) for other in second)]
    inside += [other for other in second if any(is_in(other, one) for one in first)]
    return (ROOT,) if ROOT in inside else outermost(inside)


def overlaps(domain: str, places: Iterable[str]) -> bool:
    """Return whether the domain is one of the places, in one of them, or an ancestor of one: what is assigned
    at the domain counts at one of the places, or in it."""
    return any(is_in(domain, place) or is_in(place, domain) for place in places)


def counting_at(held: Iterable[Assignment], domain: str = ROOT) -> tuple[Assignment, ...]:
    """Return those of the assignments that count at the domain."""
    places = lineage(domain)
    return tuple(one for one in held if one.domain in places)


def places_of(subject: Subject) -> frozenset[str]:
    """Return the domains at which more counts for the subject, the one at ``root``, than above them."""
    acting = subject.roles.domain
    places = frozenset(one.domain for one in subject.elsewhere)
    if acting == ROOT:
        return places
    below = frozenset(place for place in places if is_in(place, acting))
    return below if places.isdisjoint(lineage(acting)) else below | {acting}


def holds_below(subject: Subject) -> bool:
    """Return whether more may count for the subject, the one at ``root``, in domains below the session's than
    counts there."""
    return not places_of(subject) <= {subject.roles.domain}


def loses_below(graph: RoleGraph, subject: Subject) -> bool:
    """Return whether a dynamic constraint may take a role away from the subject, the one at ``root``, in a
    domain below the session's, where more counts."""
    counting, held = graph.seen_with(subject.second_factor), (*subject.assignments, *subject.elsewhere)
    if not counting.dynamic or not holds_below(subject):
        return False
    roles = counting.closure_of(one.role for one in held)
    return any(rule.reached_by(roles) for rule in counting.dynamic)


def at_domain(subject: Subject, domain: str) -> Subject:
    """Return the subject as it is at a domain; ``subject`` is the one at ``root``."""
    if domain == ROOT or not subject.elsewhere or not is_in(domain, subject.roles.domain):
        return subject
    more = counting_at(subject.elsewhere, domain)
    return replace(subject, assignments=(*subject.assignments, *more), elsewhere=()) if more else subject
