"""Searches: who may do it, what a subject may do, and where (AuthZEN section 8).  Part of the service.

Each result is an answer of the evaluation itself, so that asking for it is a yes.  Nothing is counted as a
use: no decision follows from a search.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rbac_api import clock
from rbac_api.capabilities.domains.service import list_domains_of
from rbac_api.capabilities.evaluation import queries
from rbac_api.capabilities.evaluation.questions import (
    Question,
    SubjectSearch,
    action_search_in,
    resource_search_in,
    subject_search_in,
)
from rbac_api.capabilities.evaluation.service import KINDS, SubjectStates
from rbac_api.database.queries.roles import list_role_ids
from rbac_api.decision.evaluate import effective_permissions
from rbac_api.formats.paging import Page, PageRequest
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.state.subjects import Person

PORTION, PORTIONS = 500, 20  # accounts looked at per statement, and statements per page
Result = dict[str, str]
Place = dict[str, str | dict[str, str]]


def search_subjects(clearance: Clearance, body: Mapping[str, object], page: PageRequest) -> Page[Result]:
    """The accounts of a kind that may do it, by id (section 8.4).

    A page may have fewer than it could, where very many accounts hold a role that does not count for them.
    """
    wanted = subject_search_in(body)
    candidates, start = _candidates(clearance, wanted), str(page.after[0]) if page.after else ""
    found: list[str] = []
    after, size, more = start, page.limit + 1, bool(candidates.role_ids)
    for _ in range(PORTIONS):
        if len(found) > page.limit or not more:
            break
        ids = queries.list_candidates(clearance.connection, candidates, after, size)
        people = clearance.snapshot.people(ids)
        found += [one for one in ids if one in people and _may(people[one], wanted)]
        after, size, more = ids[-1] if ids else after, PORTION, len(ids) == size
    items = [{"type": wanted.kind, "id": one} for one in found[: page.limit]]
    if len(found) > page.limit:
        return Page(items, (found[page.limit - 1] if page.limit else start,))
    return Page(items, (after,) if more else None)


def search_actions(clearance: Clearance, body: Mapping[str, object], page: PageRequest) -> Page[Result]:
    """What the subject may do to resources of a type, by name (section 8.6)."""
    wanted = action_search_in(body)
    question = Question(wanted.kind, wanted.subject, None, domain=wanted.domain)
    person = SubjectStates(clearance.runtime, [question]).find(question)
    held = frozenset() if person is None else _held(person, wanted.second_factor)
    prefix, after = f"{wanted.resource}:", str(page.after[0]) if page.after else ""
    names = sorted(name.removeprefix(prefix) for name in held if name.startswith(prefix))
    rest = [name for name in names if name > after]
    following = (rest[page.limit - 1] if page.limit else after,) if len(rest) > page.limit else None
    return Page([{"name": name} for name in rest[: page.limit]], following)


def search_resources(clearance: Clearance, body: Mapping[str, object], page: PageRequest) -> Page[Place]:
    """The domains with resources of a type to which the subject may do it, ``root`` first (section 8.5).

    A result means all resources of the type in its domain: single ones are not known here.
    """
    wanted = resource_search_in(body)
    question = Question(wanted.kind, wanted.subject, wanted.permission)
    panel = SubjectStates(clearance.runtime, [question, replace(question, domain=wanted.domain)])
    person, permission = panel.find(question), wanted.permission
    known = panel.find(replace(question, domain=wanted.domain)) is not None
    if person is None or not known or permission not in person.graph.permissions:
        return Page([], None)

    def may(there: Person) -> bool:
        return _allowed(there, permission, wanted.second_factor)

    found = list_domains_of(clearance.connection, person, may, page, wanted.domain)
    items: list[Place] = [
        {"type": wanted.resource, "id": domain, "properties": {"domain": domain}} for domain in found.items
    ]
    return Page(items, found.next_key)


def _candidates(clearance: Clearance, wanted: SubjectSearch) -> queries.Candidates:
    """The accounts of which one may be the answer: none for an unknown kind, permission or domain."""
    counting = clearance.graph().seen_with(wanted.second_factor)
    names = [name for name, held in counting.effective.items() if wanted.permission in held]
    known = wanted.kind in KINDS and clearance.snapshot.domains.exists(wanted.domain)
    role_ids = list_role_ids(clearance.connection, names) if known else []
    return queries.Candidates(KINDS.get(wanted.kind, ""), role_ids, clock.now(), wanted.domain)


def _may(person: Person, wanted: SubjectSearch) -> bool:
    return _allowed(person.at(wanted.domain), wanted.permission, wanted.second_factor)


def _allowed(person: Person, permission: str | None, second_factor: bool) -> bool:
    may = person.may if second_factor else person.may_without_second_factor
    return may(permission).allowed


def _held(person: Person, second_factor: bool) -> frozenset[str]:
    if second_factor or not person.subject.second_factor:
        return person.permissions
    return effective_permissions(person.graph, replace(person.subject, second_factor=False), clock.now())
