"""Lists the domains where the caller may do something. Part of the service."""

from __future__ import annotations

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

PORTION, PORTIONS = 500, 20  # domains looked at per statement, and statements per page
MAX_RANGES = 100  # of domains in one statement; a caller with more assignments has all domains looked at


def list_my_domains(clearance: Clearance, permission: str, page: PageRequest) -> Page[DomainNameAnswer]:
    """``root``, then the domains by name, where the caller may do what the permission names, in this session.

    A page may have fewer than it could, where very many domains have to be skipped. 404 for an unknown
    permission.
    """
    person = clearance.person
    if permission not in person.graph.permissions:
        raise PermissionNotFound()
    after = str(page.after[0]) if page.after else None
    found = [ROOT] if after is None and person.may(permission).allowed else []
    last: str | None = "" if after in (None, ROOT) else after
    condition = is_in(_ranges(person, permission))
    for _ in range(PORTIONS):
        rows = queries.list_domains(clearance.connection, condition, last, PORTION)
        found += [row.name for row in rows if person.at(row.name).may(permission).allowed]
        last = rows[-1].name if len(rows) == PORTION else None
        if last is None or len(found) > page.limit:
            break
    following = found[page.limit - 1] if len(found) > page.limit else last
    items: list[DomainNameAnswer] = [{"name": name} for name in found[: page.limit]]
    total = _count(clearance, person, permission) if page.count else None
    return Page(items, (following,) if following else None, total)


def _count(clearance: Clearance, person: Person, permission: str) -> int:
    """How many domains there are, of the first that are counted at all."""
    condition = is_in(_ranges(person, permission))
    rows = queries.list_domains(clearance.connection, condition, None, paging.MAX_TOTAL + 1)
    names = (ROOT, *(row.name for row in rows))
    return sum(person.at(name).may(permission).allowed for name in names)


def _ranges(person: Person, permission: str) -> list[str]:
    """Domains below which all are that may be listed."""
    if person.may(permission).allowed:
        return [ROOT]
    places = sorted(places_of(person.subject))
    granting = [place for place in places if person.at(place).may(permission).allowed]
    return granting if len(granting) <= MAX_RANGES else [ROOT]
