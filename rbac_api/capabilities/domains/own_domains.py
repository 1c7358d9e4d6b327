"""Lists the domains where the caller, or another account, may do something. Part of the service."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import ColumnElement, Connection

from rbac_api.capabilities.domains import queries
from rbac_api.capabilities.domains.answers import DomainNameAnswer
from rbac_api.capabilities.permissions.errors import PermissionNotFound
from rbac_api.database.queries.domains import is_in
from rbac_api.decision.domains import places_of
from rbac_api.decision.model import ROOT
from rbac_api.formats import paging
from rbac_api.formats.paging import Page, PageRequest
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.state.subjects import Person

May = Callable[[Person], bool]  # whether the account, as it is at a domain, may do it there

PORTION, PORTIONS = 500, 20  # domains looked at per statement, and statements per page
MAX_RANGES = 100  # of domains in one statement; an account with more assignments has all domains looked at


def list_my_domains(clearance: Clearance, permission: str, page: PageRequest) -> Page[DomainNameAnswer]:
    """``root``, then the domains by name, where the caller may do what the permission names, in this session.

    A page may have fewer than it could, where very many domains have to be skipped. 404 for an unknown
    permission.
    """
    person = clearance.person
    if permission not in person.graph.permissions:
        raise PermissionNotFound()

    def may(there: Person) -> bool:
        return there.may(permission).allowed

    found = list_domains_of(clearance.connection, person, may, page)
    total = _count(clearance.connection, person, may) if page.count else None
    return Page([{"name": name} for name in found.items], found.next_key, total)


def list_domains_of(
    connection: Connection, person: Person, may: May, page: PageRequest, under: str = ROOT
) -> Page[str]:
    """The domains where an account may do something: this one and those in it. As ``list_my_domains``."""
    after = str(page.after[0]) if page.after else ""
    found = [ROOT] if not after and under == ROOT and may(person) else []
    last: str | None = "" if after == ROOT else after
    condition = _looked_at(person, may, under)
    for _ in range(PORTIONS):
        rows = queries.list_domains(connection, condition, last, PORTION)
        found += [row.name for row in rows if may(person.at(row.name))]
        last = rows[-1].name if len(rows) == PORTION else None
        if last is None or len(found) > page.limit:
            break
    following = last
    if len(found) > page.limit:
        following = found[page.limit - 1] if page.limit else after
    return Page(found[: page.limit], None if following is None else (following,))


def _count(connection: Connection, person: Person, may: May) -> int:
    """How many domains there are, of the first that are counted at all."""
    rows = queries.list_domains(connection, _looked_at(person, may, ROOT), None, paging.MAX_TOTAL + 1)
    return sum(may(person.at(name)) for name in (ROOT, *(row.name for row in rows)))


def _looked_at(person: Person, may: May, under: str) -> ColumnElement[bool]:
    """The domains among which all are that may be listed."""
    ranges = is_in(_ranges(person, may))
    return ranges if under == ROOT else ranges & is_in([under])


def _ranges(person: Person, may: May) -> list[str]:
    """Domains below which all are that may be listed."""
    if may(person):
        return [ROOT]
    places = sorted(places_of(person.subject))
    granting = [place for place in places if may(person.at(place))]
    return granting if len(granting) <= MAX_RANGES else [ROOT]
