"""Lists who has a role or a permission: pages in order of name, however many accounts there are. Part of the
service.

SQL selects a page of the accounts that are assigned one of the roles. What each of them has by it is computed
here. For a permission, ``decide`` gives the answer, so that the list and the explanation cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.access import queries
from rbac_api.capabilities.access.answers import HolderAnswer
from rbac_api.capabilities.access.queries import HeldRow, Holding, MemberRow
from rbac_api.capabilities.access.subjects import NOW, Circumstances, require_place
from rbac_api.capabilities.permissions.errors import PermissionNotFound
from rbac_api.database.queries.roles import list_role_ids_at
from rbac_api.decision.domains import counting_at
from rbac_api.decision.evaluate import decide
from rbac_api.decision.hierarchy import RoleGraph, direct_permissions
from rbac_api.decision.model import Assignment, Status, Subject
from rbac_api.decision.naming import ROLE
from rbac_api.formats.paging import Page, PageRequest
from rbac_api.formats.sheets import CHUNK, Form, Sheet, stream
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import RoleNotFound
from rbac_api.guard.state import queries_history as history

PORTION, PORTIONS = 500, 20  # accounts looked at per statement, and statements per page
EXACT_COUNT_LIMIT = 2_000  # accounts looked at for a total; above it, those with an assignment are counted
HOLDERS: Sheet[HolderAnswer] = Sheet(
    ("user_id", "user_username", "kind", "status", "direct", "via", "mode", "expires_at"), dict
)
HolderCheck = Callable[[Connection, Sequence[MemberRow]], Sequence[HolderAnswer | None]]


@dataclass(frozen=True, slots=True)
class Listing:
    """Whose accounts are read, and what each of them has; ``sure`` if each one of them is listed."""

    holding: Holding
    judge: HolderCheck
    sure: bool


def list_role_members(
    clearance: Clearance, role: str, asked: Circumstances = NOW, *, effective: bool
) -> Listing:
    """Accounts with the role, by name, whatever their status: directly, or with ``effective`` also by
    inheritance; where the question is asked. No account is read yet. 404 for an unknown role or domain."""
    require_place(clearance, asked)
    at = asked.at
    graph, connection, moment = _graph(clearance, at), clearance.connection, at or clock.now()
    if role not in graph.roles:
        raise RoleNotFound(f"There is no role {role[: ROLE.longest]}. List them with GET /v1/roles.")
    names = graph.seniors(role) if effective else frozenset({role})
    holding = Holding(tuple(list_role_ids_at(connection, names, moment)), moment, domain=asked.domain)

    def judge(connection: Connection, rows: Sequence[MemberRow]) -> list[HolderAnswer | None]:
        held, accounts = _read(connection, holding, rows)
        return [_to_json(row, accounts[row.id].status, held[row.id], frozenset({role})) for row in rows]

    return Listing(holding, judge, sure=True)


def list_permission_holders(
    clearance: Clearance, permission: str, asked: Circumstances = NOW, *, eligible: bool
) -> Listing:
    """Accounts that have the permission at that moment, as ``decide`` says; with ``eligible`` also those that
    first have to activate a role. No account is read yet. 404 for an unknown permission or domain."""
    require_place(clearance, asked)
    at = asked.at
    graph, connection, moment = _graph(clearance, at), clearance.connection, at or clock.now()
    if permission not in graph.permissions:
        raise PermissionNotFound()
    names = [name for name, held in graph.effective.items() if permission in held]
    directly = frozenset(
        name for name in names if permission in direct_permissions(graph.roles[name], graph.permissions)
    )
    role_ids = tuple(list_role_ids_at(connection, names, moment))
    holding = Holding(role_ids, moment, active=not eligible, enabled=at is None, domain=asked.domain)

    def judge(connection: Connection, rows: Sequence[MemberRow]) -> list[HolderAnswer | None]:
        held, accounts = _read(connection, holding, rows)
        given = history.list_assignments_at(connection, [row.id for row in rows], moment)

        def subject_of(row: MemberRow) -> Subject:
            return _subject(row, counting_at(given[row.id], asked.domain))

        return [
            _to_json(row, "active", held[row.id], directly)
            if accounts[row.id].status == "active"
            and (eligible or decide(graph, subject_of(row), permission, moment).allowed)
            else None
            for row in rows
        ]

    return Listing(holding, judge, sure=at is None and (eligible or not _selective(graph)))


def page_of_accounts(clearance: Clearance, listing: Listing, page: PageRequest) -> Page[HolderAnswer]:
    """The next accounts of the listing, by name."""
    return _page(clearance.connection, listing, page)


def export_accounts(clearance: Clearance, listing: Listing, form: Form) -> Iterator[bytes]:
    """All accounts of the listing, by name, as a stream of CSV or NDJSON."""
    database, pending = clearance.work.database, [PageRequest(CHUNK, None, count=False)]

    def batch(_last: HolderAnswer | None) -> Sequence[HolderAnswer]:
        found: Sequence[HolderAnswer] = ()
        while pending and not found:  # a page may be empty although more follow
            with database.reading() as connection:
                page = _page(connection, listing, pending.pop())
            found = page.items
            if page.next_key is not None:
                pending.append(PageRequest(CHUNK, page.next_key, count=False))
        return found

    return stream(HOLDERS, form, batch)


def _selective(graph: RoleGraph) -> bool:
    """Whether an assigned role may not count in a new session of its user."""
    return bool(graph.dynamic) or any(role.requires_mfa for role in graph.roles.values())


def _subject(row: MemberRow, given: tuple[Assignment, ...]) -> Subject:
    """The account in a new session, with a second factor if it can have one."""
    return Subject(row.id, "active", given, second_factor=row.kind == "person")


def _graph(clearance: Clearance, at: datetime | None) -> RoleGraph:
    return clearance.graph() if at is None else clearance.graph_at(at)


def _read(
    connection: Connection, holding: Holding, rows: Sequence[MemberRow]
) -> tuple[dict[str, list[HeldRow]], dict[str, history.Account]]:
    ids = [row.id for row in rows]
    held = queries.list_held(connection, ids, holding)
    return held, history.list_accounts_at(connection, ids, holding.at)


def _to_json(row: MemberRow, status: Status, held: Sequence[HeldRow], wanted: frozenset[str]) -> HolderAnswer:
    """One entry of the list.

    ``held``: the assignments through which it is listed; ``wanted``: a role in this set counts as direct.
    """
    ends = [each.valid_to for each in held if each.valid_to]
    return {
        "user": {"id": row.id, "username": row.username},
        "kind": "user" if row.kind == "person" else "service_account",
        "status": status,
        "direct": any(each.role in wanted for each in held),
        "via": sorted({each.role for each in held}),
        "mode": "active" if any(each.mode == "active" for each in held) else "eligible",
        "expires_at": max(ends) if len(ends) == len(held) else None,
    }


def _page(connection: Connection, listing: Listing, page: PageRequest) -> Page[HolderAnswer]:
    """As many entries as asked for.

    Where very many accounts have to be skipped, as many as were found; the next page continues there.
    """
    start = str(page.after[0]) if page.after else None
    found: list[tuple[str, HolderAnswer]] = []
    last: str | None = None
    for portion, reached in islice(_portions(connection, listing, start, page.limit + 1), PORTIONS):
        found += portion
        last = reached if len(found) <= page.limit else found[page.limit - 1][0]
        if len(found) > page.limit:
            break
    total = _count(connection, listing) if page.count else None
    return Page([item for _, item in found[: page.limit]], None if last is None else (last,), total)


def _count(connection: Connection, listing: Listing) -> int:
    """The exact number; above the limit it includes accounts that would be skipped, so that no caller waits
    for a million checks."""
    number = queries.count_holders(connection, listing.holding)
    if listing.sure or number > EXACT_COUNT_LIMIT:
        return number
    return sum(len(portion) for portion, _ in _portions(connection, listing, None, PORTION))


def _portions(
    connection: Connection, listing: Listing, after: str | None, size: int
) -> Iterator[tuple[list[tuple[str, HolderAnswer]], str | None]]:
    """The accounts that have it, a portion at a time, by name, and the name to continue from; None after the
    last."""
    while True:
        rows = queries.list_holders(connection, listing.holding, after, size)
        judged = zip(rows, listing.judge(connection, rows), strict=True)
        after = rows[-1].username_canonical if len(rows) == size else None
        yield [(row.username_canonical, item) for row, item in judged if item is not None], after
        if after is None:
            return
        size = PORTION
