"""SQL for the use of permissions."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Connection, distinct, func, select

from rbac_api.database.filters import among, bounded_count, one_of
from rbac_api.database.tables import assignments, permission_uses, permissions, users
from rbac_api.database.validity import in_force

_LAST = func.max(permission_uses.c.last_used, type_=permission_uses.c.last_used.type)


class AccountUse(NamedTuple):
    """How often an account used a permission, on how many days, and when last; ``username`` is empty for an
    account that is gone."""

    user_id: str
    username: str
    kind: str
    times: int
    days: int
    last_used: datetime


class CountedUse(NamedTuple):
    """How often an account used a permission in sessions with, or without, a second factor, and when last."""

    user_id: str
    permission: str
    second_factor: bool
    times: int
    last_used: datetime


def find_first_day(connection: Connection) -> date | None:
    """The first day of which any use is kept."""
    return connection.execute(select(func.min(permission_uses.c.day))).scalar()


def find_last_uses(connection: Connection, user_id: str) -> dict[str, datetime]:
    """When an account last used each permission that it is recorded to have used."""
    used = select(permission_uses.c.permission, _LAST).where(permission_uses.c.user_id == user_id)
    rows = connection.execute(used.group_by(permission_uses.c.permission))
    return {permission: last_used for permission, last_used in rows}  # noqa: C416 - rows are no pairs to mypy


def list_used(
    connection: Connection, role_ids: Collection[str], names: Collection[str], first: date, at: datetime
) -> set[str]:
    """Which of these permissions were used, from that day on, by any account that has one of these roles.

    Few holders are looked up one by one; where they are many, the uses of the permission are read until one
    is by a holder.
    """
    holds = (among(assignments.c.role_id, role_ids), in_force(assignments, at))
    found = select(assignments.c.user_id).where(*holds)
    one = found.where(assignments.c.user_id == permission_uses.c.user_id).limit(1)
    otherwise = one.correlate(permission_uses).scalar_subquery().is_not(None)
    by_holder = one_of(connection, permission_uses.c.user_id, found, otherwise)
    mine = (permission_uses.c.permission == permissions.c.name, permission_uses.c.day >= first, by_holder)
    # Neither is an EXISTS: PostgreSQL would join all uses with all assignments
    use = select(permission_uses.c.user_id).where(*mine).limit(1).correlate(permissions).scalar_subquery()
    named = select(permissions.c.name).where(
        among(permissions.c.name, names), permissions.c.valid_to.is_(None), use.is_not(None)
    )
    return set(connection.execute(named).scalars())


def list_uses(
    connection: Connection, user_ids: Collection[str], names: Collection[str], first: date
) -> list[CountedUse]:
    """How often, from that day on, each of these accounts used each of these permissions."""
    uses = permission_uses.c
    mine = (among(uses.user_id, user_ids), among(uses.permission, names), uses.day >= first)
    key = (uses.user_id, uses.permission, uses.second_factor)
    counted = select(*key, func.sum(uses.times), _LAST).where(*mine).group_by(*key)
    return [
        CountedUse(*row[:3], int(row[3]), row[4]) for row in connection.execute(counted.order_by(*key[:2]))
    ]


def list_account_uses(
    connection: Connection, permission: str, first: date, after: str | None, limit: int
) -> list[AccountUse]:
    """The accounts that used a permission from that day on, by id."""
    mine = [permission_uses.c.permission == permission, permission_uses.c.day >= first]
    mine += [] if after is None else [permission_uses.c.user_id > after]
    used = (
        select(
            permission_uses.c.user_id,
            func.sum(permission_uses.c.times).label("times"),
            func.count(distinct(permission_uses.c.day)).label("days"),
            _LAST.label("last_used"),
        )
        .where(*mine)
        .group_by(permission_uses.c.user_id)
        .order_by(permission_uses.c.user_id)
        .limit(limit)
        .subquery()
    )
    columns = (used.c.user_id, users.c.username, users.c.kind, used.c.times, used.c.days, used.c.last_used)
    rows = connection.execute(
        select(*columns).join(users, users.c.id == used.c.user_id).order_by(used.c.user_id)
    )
    return [AccountUse(*row[:3], int(row.times), *row[4:]) for row in rows]


def count_accounts(connection: Connection, permission: str, first: date) -> int:
    """The number of accounts that used a permission from that day on."""
    mine = (permission_uses.c.permission == permission, permission_uses.c.day >= first)
    return bounded_count(connection, select(permission_uses.c.user_id).where(*mine).distinct())
