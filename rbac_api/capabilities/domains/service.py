"""Domains: creates, changes, lists and deletes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from rbac_api import clock
from rbac_api.capabilities.domains import queries
from rbac_api.capabilities.domains.answers import DomainAnswer, DomainBody, DomainFilters
from rbac_api.capabilities.domains.errors import DomainBuiltIn, DomainInUse, DomainNameTaken
from rbac_api.capabilities.domains.named import named_at_home
from rbac_api.capabilities.domains.own_domains import list_domains_of
from rbac_api.capabilities.domains.queries import A_CONSTRAINT, A_ROLE, count_assignments, find_residents
from rbac_api.database.queries.domains import DomainRow, existed, find_domain, is_in
from rbac_api.database.types import new_id
from rbac_api.decision.domains import overlaps, parent_of
from rbac_api.decision.model import ROOT
from rbac_api.formats import paging
from rbac_api.formats.paging import Page, PageRequest, cut
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import DomainNotFound
from rbac_api.trail.fields import changes, stated
from rbac_api.trail.recorder import Target

__all__ = [
    "A_CONSTRAINT", "A_ROLE", "count_assignments", "create_domain", "delete_domain", "describe",
    "find_residents", "get_domain", "list_domains", "list_domains_of", "named_at_home",
    "require_domain", "require_domain_in_sight", "require_no_home", "require_unused", "settle_homes",
    "update_domain",
]  # fmt: skip

_NONE_THEN = "There was no domain with this name at that time."
_ROOT: DomainAnswer = {
    "name": ROOT, "parent": None, "title": None, "created_at": None,
    "description": "The domain that all others are in: what counts here counts everywhere.",
}  # fmt: skip


def list_domains(clearance: Clearance, filters: DomainFilters, page: PageRequest) -> Page[DomainAnswer]:
    """``root``, then all domains by name; or a domain, and those in it: those that the caller may read.

    404 for a domain that is unknown, or in which the caller may read none.
    """
    under, readable = filters.get("under", ROOT), clearance.domains_granting()
    if not overlaps(under, readable):
        raise DomainNotFound()
    require_domain(clearance, under)
    after, condition = str(page.after[0]) if page.after else None, is_in([under]) & is_in(readable)
    with_root = under == ROOT and ROOT in readable
    rows = queries.list_domains(
        clearance.connection, condition, None if after == ROOT else after, page.limit + 1
    )
    items = [_ROOT] if with_root and after is None else []
    total = queries.count_domains(clearance.connection, condition) if page.count else None
    if total is not None and with_root:
        total = min(total + 1, paging.MAX_TOTAL + 1)
    return cut([*items, *map(describe, rows)], page, lambda item: (item["name"],), total)


def get_domain(clearance: Clearance, name: str) -> DomainAnswer:
    """One domain by its name; 404 for one that is unknown, or that the caller may not read."""
    clearance.over(name, "domains:read", DomainNotFound)
    return _read(clearance, name)


def _read(clearance: Clearance, name: str) -> DomainAnswer:
    return _ROOT if name == ROOT else describe(_find(clearance, name))


def create_domain(clearance: Clearance, body: DomainBody) -> DomainAnswer:
    """Create a domain, which its parent decides. 404 if that does not exist, 409 if it exists itself."""
    name, connection = body["name"], clearance.connection
    clearance.at(parent_of(name))
    if name == ROOT or find_domain(connection, name):
        raise DomainNameTaken()
    require_domain(clearance, parent_of(name))
    row = DomainRow(new_id(), name, body.get("title") or None, body.get("description", ""), clock.now())
    queries.add_domain(connection, row)
    clearance.record("domain.created", _target(name), after=stated("domains", row._asdict()))
    return describe(row)


def update_domain(clearance: Clearance, name: str, body: Mapping[str, object]) -> DomainAnswer:
    """Change title and description, which the parent decides. 409 for ``root``."""
    row = _find_at_parent(clearance, name)
    before, after = changes("domains", row._asdict(), {**row._asdict(), **body})
    if after:
        queries.update_domain(clearance.connection, row.id, after)
        clearance.record("domain.updated", _target(name), before=before, after=after)
    return _read(clearance, name)


def delete_domain(clearance: Clearance, name: str) -> None:
    """End a domain, which its parent decides. 409 for ``root``, and ``domain.in_use`` while there is a
    domain in it, or an assignment that is not over."""
    row = _find_at_parent(clearance, name)
    connection = clearance.connection
    numbers = queries.count_assignments(connection, [name], clock.now())
    require_unused(name, queries.find_first_below(connection, name), numbers.get(name, 0))
    settle_homes(clearance, [name])
    queries.end_domain(clearance.connection, row.id, clock.now())
    before = stated("domains", row._asdict())
    clearance.record("domain.deleted", _target(name), before=before)


def require_unused(name: str, below: str | None, number: int) -> None:
    """409 for a domain with this domain in it, or with assignments that are not over."""
    if below:
        raise DomainInUse(f"The domain {below} is in {name}. Delete it first.")
    if number:
        many = "an assignment counts" if number == 1 else f"{number} assignments count"
        raise DomainInUse(
            f"At {name} {many}, now or later. Revoke what GET /v1/assignments?state=current&domain={name} and"
            f" state=scheduled list first."
        )


def require_no_home(names: Collection[str], residents: Mapping[str, Sequence[str]]) -> None:
    """409 if one of these domains is a home; ``residents`` are what ``find_residents`` returned."""
    for name in names:
        if residents.get(name):
            raise DomainInUse(
                f"The home of {residents[name][0]} is {name}. Delete what is at home there, or move it,"
                " first."
            )


def settle_homes(clearance: Clearance, names: Sequence[str]) -> None:
    """Let what is deleted be at home in the parents of these domains, which are being deleted in this order.
    409 if one of them is a home."""
    require_no_home(names, queries.find_residents(clearance.connection, names))
    for name in names:
        queries.raise_homes(clearance.connection, name, parent_of(name))


def require_domain(clearance: Clearance, name: str, at: datetime | None = None) -> None:
    """404 for a domain that does not exist, or did not at that moment."""
    if name == ROOT:
        return
    if at is None:
        DomainNotFound.require(find_domain(clearance.connection, name))
    elif not existed(clearance.connection, name, at):
        raise DomainNotFound(_NONE_THEN)


def require_domain_in_sight(clearance: Clearance, name: str, at: datetime | None = None) -> None:
    """The same 404 also for a domain at which nothing counts that the caller may read."""
    if not clearance.sees(name):
        raise DomainNotFound() if at is None else DomainNotFound(_NONE_THEN)
    require_domain(clearance, name, at)


def _find_at_parent(clearance: Clearance, name: str) -> DomainRow:
    """The row, if the caller may do this in the domain's parent; 404 for one that the caller may not read."""
    row = _find(clearance, name)
    if not (clearance.everywhere or clearance.holds("domains:read", name)):
        raise DomainNotFound()
    clearance.at(parent_of(name))
    return row


def _find(clearance: Clearance, name: str) -> DomainRow:
    """The row; 409 for ``root``, 404 for an unknown domain."""
    if name == ROOT:
        raise DomainBuiltIn()
    return DomainNotFound.require(find_domain(clearance.connection, name))


def _target(name: str) -> Target:
    return Target("domain", name, name, name)


def describe(row: DomainRow) -> DomainAnswer:
    """A domain for the API."""
    return {
        "name": row.name,
        "parent": parent_of(row.name),
        "title": row.title,
        "description": row.description,
        "created_at": row.valid_from,
    }
