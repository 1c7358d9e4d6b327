"""SQL for the list of users: its filters, and a page in the order asked for.

The order has an index. A filter that matches few users looks them up; one that matches many is checked while
that index is read, so it is written as an expression, for which SQLite takes no other index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    bindparam,
    exists,
    func,
    literal,
    select,
    true,
    tuple_,
)

from rbac_api.database.filters import bounded_count, counting, holding, holds_one_of, one_of
from rbac_api.database.prepared import Prepared
from rbac_api.database.queries.roles import list_role_ids
from rbac_api.database.queries.users import LISTED, ListedUser
from rbac_api.database.tables import assignments, signin_attempts, totp_factors, users
from rbac_api.database.validity import not_over

Condition = ColumnElement[bool]
_LIST = select(*LISTED).where(users.c.kind == "person")
_PAGE = (
    _LIST.where(users.c.status != "deleted").order_by(users.c.username_canonical).limit(bindparam("limit"))
)
# With whether any account is blocked: if none is, the page needs no second statement.
_WITH_BLOCKED = _PAGE.add_columns(
    exists(select(1).where(signin_attempts.c.blocked_until > bindparam("now"))).label("blocked")
)
_FIRST = Prepared(_WITH_BLOCKED, tuple)
_NEXT = Prepared(_WITH_BLOCKED.where(users.c.username_canonical > bindparam("after")), tuple)


class Order(NamedTuple):
    """The order of a list: by username, or by a moment and then by id; who has no such moment counts as
    earliest."""

    name: Literal["username", "created_at", "last_login_at"] = "username"
    descending: bool = False

    @classmethod
    def read(cls, text: str) -> Order:
        """Read ``created_at``, or ``-created_at`` for the latest first."""
        return cls(
            cast("Literal['username', 'created_at', 'last_login_at']", text.lstrip("-")), text[0] == "-"
        )

    @property
    def columns(self) -> tuple[Column[object], ...]:
        """The columns of the order; together they are unique."""
        if self.name == "username":
            return (users.c.username_canonical,)
        return (users.c[self.name], users.c.id)

    def key(self, row: ListedUser) -> tuple[object, ...]:
        """The place of a row in the order."""
        return tuple(getattr(row, column.name) for column in self.columns)


def list_all_users(
    connection: Connection, after: tuple[object, ...] | None, limit: int, now: datetime
) -> tuple[list[ListedUser], bool]:
    """All users by username, from a place on, and whether sign-ins to any account are blocked now."""
    page, place = (_NEXT, {"after": after[0]}) if after else (_FIRST, {})
    rows = page.all(connection, **place, limit=limit, now=now)
    return [ListedUser(*row[:-1]) for row in rows], any(row[-1] for row in rows[:1])


def list_users(
    connection: Connection,
    conditions: Sequence[Condition],
    order: Order,
    after: tuple[object, ...] | None,
    limit: int,
) -> list[ListedUser]:
    """Users in that order, from a place on: first those without a moment, or those with one."""
    parts = [order.columns[0].is_(None), order.columns[0].is_not(None)]
    if order.descending:
        parts.reverse()
    if after and (after[0] is None) == order.descending:
        del parts[0]
    columns = [column.desc() if order.descending else column for column in order.columns]
    rows: list[ListedUser] = []
    for part in parts:
        query = _LIST.where(part, *conditions, _beyond(order, after))
        page = query.order_by(*columns).limit(limit - len(rows))
        rows += map(ListedUser._make, connection.execute(page) if len(rows) < limit else ())
        after = None
    return rows


def _beyond(order: Order, after: tuple[object, ...] | None) -> Condition:
    """The rows after that place; where it has no moment, those with a later id."""
    if after is None:
        return true()
    pairs = [pair for pair in zip(order.columns, after, strict=True) if pair[1] is not None]
    place = tuple_(*(column for column, _ in pairs))
    values = tuple_(*(literal(value, column.type) for column, value in pairs))
    return place < values if order.descending else place > values


def count_users(connection: Connection, conditions: Sequence[Condition]) -> int:
    return bounded_count(connection, select(users.c.id).where(users.c.kind == "person", *conditions))


def joined_after(connection: Connection, order: Order, moment: datetime) -> Condition:
    """Condition: the account was created after this moment."""
    return _compared(connection, order, users.c.created_at, lambda column: column > moment)


def signed_in_before(connection: Connection, order: Order, moment: datetime) -> Condition:
    """Condition: the last sign-in was before this moment; who never signed in is not meant."""
    return _compared(connection, order, users.c.last_login_at, lambda column: column < moment)


def never_signed_in(connection: Connection, order: Order) -> Condition:
    """Condition: the user has never signed in."""
    return _compared(connection, order, users.c.last_login_at, lambda column: column.is_(None))


def holds_role(connection: Connection, role_names: frozenset[str], now: datetime) -> Condition:
    """Condition: the user holds one of these roles now; a role that needs activation does not count."""
    role_ids = list_role_ids(connection, role_names)
    given = select(assignments.c.user_id).where(holding(role_ids, now))
    return one_of(
        connection, users.c.id, given, holds_one_of(connection, users.c.id, role_ids, counting(now))
    )


def has_roles(now: datetime) -> Condition:
    """Condition: a role is assigned to the user, now or later, in any mode."""
    return exists(select(1).where(assignments.c.user_id == users.c.id, not_over(assignments, now)))


def has_second_factor(connection: Connection) -> Condition:
    """Condition: the user has set up a second factor."""
    confirmed = totp_factors.c.confirmed_at.is_not(None)
    mine = exists(select(1).where(totp_factors.c.user_id == users.c.id, confirmed))
    return one_of(connection, users.c.id, select(totp_factors.c.user_id).where(confirmed), mine)


def _compared(
    connection: Connection,
    order: Order,
    column: Column[datetime],
    condition: Callable[[ColumnElement[datetime]], Condition],
) -> Condition:
    """A condition on a column that has an index: the one that is read if the list has its order."""
    found = condition(column)
    if column.name == order.name:
        return found
    passed = condition(func.coalesce(column, column))
    return one_of(connection, users.c.id, select(users.c.id).where(found), passed)
