"""Domains: places in a tree where assignments count.

An assignment has a domain, and a question has a domain.  Of a subject's assignments those count whose domain
is the one of the question, or an ancestor of it.  A domain is named by its path, so that its ancestors follow
from the name: ``acme.eu`` is in ``acme``, which is in ``root``, but ``acme2`` is not in ``acme``.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace

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


def counting_at(held: Iterable[Assignment], domain: str = ROOT) -> tuple[Assignment, ...]:
    """Return those of the assignments that count at the domain."""
    places = lineage(domain)
    return tuple(one for one in held if one.domain in places)


def at_domain(subject: Subject, domain: str) -> Subject:
    """Return the subject as it is at a domain; ``subject`` is the one at ``root``."""
    if domain == ROOT or not subject.elsewhere:
        return subject
    more = counting_at(subject.elsewhere, domain)
    return replace(subject, assignments=(*subject.assignments, *more), elsewhere=()) if more else subject
