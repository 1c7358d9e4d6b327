"""Measures the questions of an auditor at ten million events.

Usage: ``python -m benchmarks.auditing [--engine sqlite|postgresql] [--url URL] [--users N] [--roles N]
[--events N] [--uses N] [--rounds N]``

The database is that of ``benchmarks.many_users``. Besides, two thirds of the users signed in at some time, a
fifth has a second factor, and a million sessions have ended; there are incidents, uses of permissions, and
events with addresses, sessions and request ids, whose personal values lie beside them. The hashes of the
events are digits of the right length, so the tree over them is a real one; ``audit verify`` would refuse
them.
"""

# ruff: noqa: S608 -- every part of these statements is made here
from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from sqlalchemy import Connection, text

from benchmarks import many_users
from benchmarks.many_users import COST, Dialect, Reads, place, table
from benchmarks.role_changes import PERMISSIONS
from benchmarks.stage import build_stage
from rbac_api.database.engine import Database
from rbac_api.factory import close_app, create_app
from rbac_api.trail.feed import newest_seq
from rbac_api.trail.tree import extend_tree

DAYS = 400  # of the trail, and since a user signed in
USED_DAYS = 60
ADDRESSES = 62_500
FAR = 1000 * 50  # events before page 1000
ACTIONS = (
    *("token.rotated",) * 10,
    *("signin.succeeded",) * 4,
    *("signin.failed",) * 2,
    "access.refused",
    "assignment.created",
    "session.ended",
    "user.updated",
)


class Auditing(Dialect):
    """What the two engines write differently in these rows."""

    def ago(self, days: str) -> str:
        """Return the moment so many days ago, which may be a fraction."""
        if self.on_sqlite:
            return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', '-' || ({days}) || ' days')"
        return f"now() - ({days}) * interval '1 day'"

    def day(self, days: str) -> str:
        """Return the day so many days ago."""
        if self.on_sqlite:
            return f"date('now', '-' || ({days}) || ' days')"
        return f"((now() AT TIME ZONE 'UTC')::date - ({days})::int)"

    def digest(self, number: str) -> str:
        """Return 64 hexadecimal digits."""
        return f"printf('%064x', {number})" if self.on_sqlite else f"lpad(to_hex({number}), 64, '0')"

    def as_text(self, key: str) -> str:
        """Return the id as a column of text has it."""
        if not self.on_sqlite:
            return f"({key})::text"
        cuts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
        return " || '-' || ".join(f"substr({key}, {begin}, {length})" for begin, length in cuts)

    def analyze(self, database: Database) -> None:
        """Bring the statistics up to date."""
        with database.autocommit() as connection:
            connection.execute(text("ANALYZE" if self.on_sqlite else "VACUUM ANALYZE"))


class Sizes(NamedTuple):
    """How many rows there are."""

    users: int
    roles: int
    events: int
    uses: int


def fill(database: Database, engine: str, sizes: Sizes) -> None:
    """Write the rows, and the tree over the events."""
    users = sizes.users
    many_users.fill(database, engine, users, sizes.roles, 0)
    dialect = Auditing(engine)
    others = (
        _sign_ins(dialect, users),
        _factors(dialect, users),
        _ended_sessions(dialect, users),
        _limits(dialect, users),
        _incidents(dialect, users // 10),
        _uses(dialect, users, sizes.uses),
    )
    for statement in others:
        with database.writing() as connection:
            connection.execute(text(statement))
    _write_events(database, dialect, users, sizes.events)
    dialect.analyze(database)
    with database.reading() as connection:
        size = newest_seq(connection)
    extend_tree(database, size, size)


def _write_events(database: Database, dialect: Auditing, users: int, events: int) -> None:
    with database.writing() as connection:
        last = connection.execute(text("SELECT max(seq) FROM trail_events")).scalar_one()
        for statement in (_events(dialect, users, events, last), _values(dialect, users, events, last)):
            name = statement.split()[2]
            with _without_indexes(connection, dialect, name):
                connection.execute(text(statement))


@contextmanager
def _without_indexes(connection: Connection, dialect: Auditing, name: str) -> Iterator[None]:
    """Make the other indexes of a table after the rows: that is faster."""
    listed = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        f" AND tbl_name = '{name}'"
        if dialect.on_sqlite
        else f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename = '{name}'"
        " AND indexname LIKE 'ix_%'"
    )
    known = connection.execute(text(listed)).all()
    for index, _ in known:
        connection.exec_driver_sql(f"DROP INDEX {index}")
    yield
    for _, definition in known:
        connection.exec_driver_sql(definition)


def _sign_ins(dialect: Auditing, users: int) -> str:
    number = "CAST(substr(username, length(username) - 6) AS integer)"
    return (
        f"UPDATE users SET last_login_at = {dialect.ago(f'{number} % {DAYS} + 0.5')}"
        f" WHERE username LIKE '%-%' AND email LIKE '%@example.com' AND kind = 'person'"
        f" AND length(username) = 12 AND {number} % 3 > 0 AND {number} < {users}"
    )


def _factors(dialect: Auditing, users: int) -> str:
    at = dialect.ago("100")
    return (
        "INSERT INTO totp_factors (user_id, secret_sealed, created_at, confirmed_at)"
        f" SELECT {dialect.key(1, 'n * 5')}, 'sealed', {at}, {at} FROM {dialect.numbers(users // 5)}"
    )


def _ended_sessions(dialect: Auditing, users: int) -> str:
    begun, ends = dialect.ago("30 + n % 300"), dialect.ago("29.5 + n % 300")
    return (
        "INSERT INTO sessions (id, user_id, client_id, created_at, last_seen_at, idle_expires_at,"
        " absolute_expires_at, generation, ip, user_agent, ended_at, end_reason)"
        f" SELECT {dialect.key(2, 'n')}, {dialect.key(1, f'n % {users}')}, 'first-party', {begun}, {begun},"
        f" {ends}, {ends}, 3, {_address('n')}, 'benchmark', {ends}, 'logout' FROM {dialect.numbers(users)}"
    )


def _limits(dialect: Auditing, users: int) -> str:
    """Each thousandth assignment ends, in the next hundred days."""
    ids = f"SELECT {dialect.key(2, 'n * 1000')} FROM {dialect.numbers(users * 3 // 1000)}"
    ends = dialect.moment(datetime.now(UTC) + timedelta(days=100))
    return f"UPDATE assignments SET valid_to = {ends}, reason = 'Project.' WHERE id IN ({ids})"


def _incidents(dialect: Auditing, count: int) -> str:
    """The oldest hundredth is still open."""
    opened, kind = dialect.ago(f"(200.0 - n * 199.0 / {count})"), _one_of("n", ("lockout", "refresh-reuse"))
    is_open = f"n < {count // 100}"
    return (
        "INSERT INTO incidents (id, type, subject, user_id, opened_at, occurrences, other_ip, other_at,"
        " closed_at, close_reason)"
        f" SELECT {dialect.key(5, 'n')}, {kind}, 'subject-' || n, {dialect.key(1, 'n')}, {opened}, 1,"
        f" {_address('n')}, {opened}, CASE WHEN {is_open} THEN NULL ELSE {opened} END,"
        f" CASE WHEN {is_open} THEN NULL ELSE 'Seen.' END FROM {dialect.numbers(count)}"
    )


def _uses(dialect: Auditing, users: int, count: int) -> str:
    """A fifth of the users used ten permissions each."""
    person = f"(n / 10 * 5) % {users}"
    return (
        "INSERT INTO permission_uses (user_id, permission, day, second_factor, times, last_used)"
        f" SELECT {dialect.key(1, person)}, 'thing' || (n % {PERMISSIONS}) || '\\:do',"
        f" {dialect.day(f'n % {USED_DAYS}')}, false, 3, {dialect.ago(f'n % {USED_DAYS}')}"
        f" FROM {dialect.numbers(count)} WHERE true ON CONFLICT DO NOTHING"
    )


def _events(dialect: Auditing, users: int, count: int, last: int) -> str:
    person = dialect.as_text(dialect.key(1, f"n % {users}"))
    role = f"""'{{"role":"role-' || (n / {len(ACTIONS)} % 10000) || '"}}'"""
    named = ACTIONS.index("assignment.created")
    return (
        "INSERT INTO trail_events (seq, at, actor_type, actor_id, session_id, action, target_type, target_id,"
        " outcome, after, request_id, personal, prev_hash, hash)"
        f" SELECT n, {dialect.ago(f'({DAYS}.0 - (n - {last}) * {DAYS}.0 / {count})')}, 'user', {person},"
        f" {dialect.key(3, f'n % {max(users // 5, 1)}')}, {_one_of('n', ACTIONS)}, 'user', {person},"
        f" CASE WHEN n % {len(ACTIONS)} IN (14, 15) THEN 'failure' ELSE 'success' END,"
        f" CASE WHEN n % {len(ACTIONS)} = {named} THEN {role} END, 'request-' || n,"
        """ '{"/ip":"' || """ + dialect.digest("n") + """ || '"}',"""
        f" {dialect.digest('n - 1')}, {dialect.digest('n')} FROM {dialect.numbers(count, last + 1)}"
    )  # fmt: skip


def _values(dialect: Auditing, users: int, count: int, last: int) -> str:
    return (
        "INSERT INTO personal_values (seq, part, user_id, ip, entries)"
        f" SELECT n, 0, {dialect.key(1, f'n % {users}')}, {_address('n')},"
        """ '{"/ip":["00112233445566778899aabbccddeeff","' || """ + _address("n") + """ || '"]}'"""
        f" FROM {dialect.numbers(count, last + 1)}"
    )  # fmt: skip


def _one_of(number: str, values: tuple[str, ...]) -> str:
    cases = " ".join(f"WHEN {place} THEN '{value}'" for place, value in enumerate(values))
    return f"CASE {number} % {len(values)} {cases} END"


def _address(number: str) -> str:
    return f"'10.' || ({number} % {ADDRESSES} / 250) || '.' || ({number} % 250) || '.7'"


def questions(user: str, size: int) -> dict[str, str]:
    """Return what is asked, a name for each path, of a trail with so many events."""
    now = datetime.now(UTC)
    soon = f"{now + timedelta(days=200):%Y-%m-%dT%H:%M:%SZ}"
    long_ago, recently, half = (f"{now - timedelta(days=n):%Y-%m-%dT%H:%M:%SZ}" for n in (350, 30, DAYS // 2))
    week = f"{now - timedelta(days=DAYS // 2 - 7):%Y-%m-%dT%H:%M:%SZ}"
    events, middle = "/v1/audit/events?", size // 2
    session = "01900003-0000-7000-8000-000000000005"
    return {
        "events from the first on": f"{events}from_seq=1",
        "events from the first on, page 1000": f"{events}from_seq={FAR + 1}",
        "events from the middle on, of two actions": (
            f"{events}from_seq={middle}&action=role.created&action=user.updated"
        ),
        "events of all actions but one": f"{events}action!=token.rotated",
        "events of an action that is rare": f"{events}action=role.created",
        "events from an address": f"{events}ip=10.7.0.7",
        "events from an address, with a count": f"{events}ip=10.7.0.7&count=true",
        "events of a session": f"{events}session={session}",
        "events of a request": f"{events}request_id=request-{middle}",
        "events about a role": f"{events}role=role-7",
        "events with an outcome": f"{events}outcome=failure",
        "events with an outcome that is rare": f"{events}outcome=refused",
        "events of a week half a trail ago": f"{events}{urlencode({'after': half, 'before': week})}",
        "events before a time": f"{events}before={half}",
        "events of an action since then": f"{events}{urlencode({'after': half, 'action': 'user.updated'})}",
        "checkpoint": "/v1/audit/checkpoint",
        "proof that an event is in the tree": f"/v1/audit/events/{middle}/proof",
        "the same in a tree half as large": f"/v1/audit/events/{middle // 3}/proof?size={middle}",
        "proof that two trees agree": f"/v1/audit/consistency?from={middle}&to={size}",
        "unused permissions of a user": f"/v1/users/{user}/unused",
        "unused permissions of a role": "/v1/roles/role-15/unused",
        "unused permissions of a role that 100,000 hold": "/v1/roles/role-7/unused",
        "who used a permission": "/v1/permissions/thing9:do/use",
        "who used a permission, with a count": "/v1/permissions/thing9:do/use?count=true",
        "suggestion for a role": "/v1/roles/role-15/suggestion",
        "suggestion for a role that 100,000 hold": "/v1/roles/role-7/suggestion",
        "dormant users": f"/v1/users?last_login_before={long_ago}",
        "dormant users, with a count": f"/v1/users?last_login_before={long_ago}&count=true",
        "dormant users, the longest first": f"/v1/users?last_login_before={recently}&sort=last_login_at",
        "users who never signed in": "/v1/users?never_signed_in=true",
        "users who never signed in, with a count": "/v1/users?never_signed_in=true&count=true",
        "users with a second factor, with a count": "/v1/users?second_factor=true&count=true",
        "users without a second factor, with a count": "/v1/users?second_factor=false&count=true",
        "sessions that ended": "/v1/sessions?state=ended",
        "sessions that ended, with a count": "/v1/sessions?state=ended&count=true",
        "sessions of all states, of an address": "/v1/sessions?state=all&ip=10.7.0.7",
        "sessions that began before a time": f"/v1/sessions?state=all&created_before={recently}",
        "sessions that were active then": f"/v1/sessions?at={half}",
        "sessions of a role": "/v1/sessions?role=role-15",
        "sessions of a role that 100,000 hold": "/v1/sessions?role=role-7",
        "open incidents": "/v1/incidents",
        "open incidents of a type, with a count": "/v1/incidents?type=lockout&count=true",
        "open incidents of a type that has none": "/v1/incidents?type=stale-use",
        "closed incidents, with a count": "/v1/incidents?state=closed&count=true",
        "assignments that end soon": f"/v1/assignments?expires_before={soon}",
        "assignments without a reason": "/v1/assignments?without_reason=true",
        "everything a user may do": f"/v1/users/{user}/permissions",
        "roles that the caller may give": f"/v1/users/{user}/available-roles",
    }


FAR_PAGES = {
    "dormant users": "/v1/users?never_signed_in=true",
    "sessions that ended": "/v1/sessions?state=ended",
    "closed incidents": "/v1/incidents?state=closed",
    "who used a permission": "/v1/permissions/thing9:do/use",
    "events of an action": "/v1/audit/events?action=user.updated",
}


def measure(reads: Reads, size: int, rounds: int) -> dict[str, float]:
    """Return the median milliseconds of each question."""
    found = {name: reads.time(path, rounds) for name, path in questions(reads.user, size).items()}
    for name, path in FAR_PAGES.items():
        found[f"{name}, page 1000 or the last"] = reads.time(reads.far_page(path), rounds)
    return found


def main(arguments: list[str] | None = None) -> None:
    """Build, measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.auditing", description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--url", help="an empty database; a temporary one unless given")
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--roles", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--uses", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, place(options.engine, options.url, folder) as url:
        stage = build_stage(Path(folder), url, 2, COST)
        database = Database(stage.settings)
        sizes = Sizes(options.users, options.roles, options.events, options.uses)
        fill(database, options.engine, sizes)
        with database.reading() as connection:
            size = newest_seq(connection)
        database.dispose()
        print("{}: {} users, {} roles, {} events, {} uses\n".format(options.engine, *sizes))
        app = create_app(stage.settings)
        try:
            reads = Reads(app.test_client(), stage.people[0].access)
            print(table(measure(reads, size, options.rounds)))
        finally:
            close_app(app)


if __name__ == "__main__":
    main()
