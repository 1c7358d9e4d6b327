"""Lists users, as pages and as files. Part of the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import ColumnElement, Connection

from rbac_api import clock
from rbac_api.capabilities.users import past, queries_past
from rbac_api.capabilities.users import queries_listing as queries
from rbac_api.capabilities.users.answers import UserAnswer, UserFilters
from rbac_api.capabilities.users.queries_listing import Order
from rbac_api.capabilities.users.serializers import describe, describe_all, describe_on
from rbac_api.database.homes import at_home, at_home_exactly
from rbac_api.database.queries.users import ListedUser
from rbac_api.database.tables import users
from rbac_api.database.text_search import named_like
from rbac_api.decision.model import ROOT
from rbac_api.formats.paging import Page, PageRequest, cut
from rbac_api.formats.sheets import CHUNK, Form, Sheet, stream
from rbac_api.guard.enforcement.clearance import Clearance

COLUMNS = (
    "id", "username", "email", "display_name", "status", "password_change_required", "locked_until",
    "created_at", "updated_at", "last_login_at", "home",
)  # fmt: skip
USERS: Sheet[UserAnswer] = Sheet(COLUMNS, lambda item: item)


def list_users(clearance: Clearance, filters: UserFilters, page: PageRequest) -> Page[UserAnswer]:
    """Users whom the caller may read and that match, in the order asked for."""
    everyone = _are_all(clearance, filters)
    if not page.count and everyone:
        return _page_of_all(clearance, page)
    order, fitting = _order(filters), list(_conditions(clearance, filters))
    rows = queries.list_users(clearance.connection, fitting, order, page.after, page.limit + 1)
    total = queries.count_users(clearance.connection, fitting) if page.count else None
    found = cut(rows, page, order.key, total)
    items = describe_all(clearance, found.items)
    return Page(_as_of(clearance.connection, items, filters), found.next_key, found.total)


def _page_of_all(clearance: Clearance, page: PageRequest) -> Page[UserAnswer]:
    """A page of all users by username, in one statement unless an account is blocked."""
    connection = clearance.connection
    rows, blocked = queries.list_all_users(connection, page.after, page.limit + 1, clock.now())
    found = cut(rows, page, Order().key, None)
    items = describe_all(clearance, found.items) if blocked else list(map(describe, found.items))
    return Page(items, found.next_key)


def export_users(clearance: Clearance, filters: UserFilters, form: Form) -> Iterator[bytes]:
    """All users that match, in the order asked for, as a stream of CSV or NDJSON."""
    database, settings = clearance.work.database, clearance.settings
    everyone = _are_all(clearance, filters)
    order, fitting = _order(filters), list(_conditions(clearance, filters))
    reached: list[ListedUser] = []

    def batch(_last: UserAnswer | None) -> list[UserAnswer]:
        after = order.key(reached[-1]) if reached else None
        with database.reading() as connection:
            reached[:] = (
                queries.list_all_users(connection, after, CHUNK, clock.now())[0]
                if everyone
                else queries.list_users(connection, fitting, order, after, CHUNK)
            )
            return _as_of(connection, describe_on(connection, settings, reached), filters)

    return stream(USERS, form, batch)


def _as_of(connection: Connection, users: list[UserAnswer], filters: UserFilters) -> list[UserAnswer]:
    at = filters.get("at")
    return users if at is None else past.with_past_status(connection, users, at)


def _are_all(clearance: Clearance, filters: UserFilters) -> bool:
    """Whether the caller may read all users, and these filters ask for all of them by username."""
    filtered = any(value is not None for name, value in filters.items() if name != "sort")
    by_name = not filtered and filters.get("sort", "username") == "username"
    return by_name and ROOT in clearance.domains_granting()


def _order(filters: UserFilters) -> Order:
    return Order.read(filters.get("sort") or "username")


def _conditions(clearance: Clearance, filters: UserFilters) -> Iterator[ColumnElement[bool]]:
    connection, order, now = clearance.connection, _order(filters), clock.now()
    status, role, at = filters.get("status"), filters.get("role"), filters.get("at")
    if at is not None:
        yield from past.conditions(connection, at, status)
    else:
        yield users.c.status == status if status else users.c.status != "deleted"
    yield at_home(connection, users, clearance.domains_granting())
    if home := filters.get("home"):
        yield at_home_exactly(connection, users, home)
    if text := filters.get("q"):
        everyone = home is None and ROOT in clearance.domains_granting()
        yield named_like(connection, text, by_name=everyone and order.name == "username")
    if role and at is None:
        yield queries.holds_role(connection, clearance.graph().seniors(role), now)
    elif role and at:
        yield queries_past.held_role(connection, clearance.graph_at(at).seniors(role), at)
    if after := filters.get("created_after"):
        yield queries.joined_after(connection, order, after)
    if before := filters.get("last_login_before"):
        yield queries.signed_in_before(connection, order, before)
    yield from _if_asked(filters.get("never_signed_in"), lambda: queries.never_signed_in(connection, order))
    yield from _if_asked(
        filters.get("without_roles"), lambda: ~(queries_past.had_roles(at) if at else queries.has_roles(now))
    )
    yield from _if_asked(filters.get("second_factor"), lambda: queries.has_second_factor(connection))


def _if_asked(
    wanted: bool | None, condition: Callable[[], ColumnElement[bool]]
) -> Iterator[ColumnElement[bool]]:
    """The condition, or its opposite, or nothing."""
    if wanted is not None:
        yield condition() if wanted else ~condition()
