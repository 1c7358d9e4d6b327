"""Measures reads of an installation with a million users.

Usage: ``python -m benchmarks.many_users [--engine sqlite|postgresql] [--url URL] [--users N] [--roles N]
[--events N] [--rounds N]``

Statements that write all rows at once fill the database at ``--url``, which has to be empty; without it a
temporary one. The roles stand in chains of eight. Each user holds three of them, a tenth also the first, and
a fifth has an active session. The events (none unless ``--events`` asks for some) have no valid hashes:
``audit verify`` would refuse them. The table shows the median time of each answer in this process, without a
server, and marks what took longer than 100 ms.
"""

# ruff: noqa: S608 -- every part of these statements is made here
from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask.testing import FlaskClient
from sqlalchemy import Connection, text

from benchmarks.role_changes import add_roles
from benchmarks.stage import build_stage
from rbac_api.database.engine import Database
from rbac_api.factory import close_app, create_app
from tests.servers import start_postgres

COST = 10  # of password hashes, which are not measured here
SLOW = 100  # milliseconds
LAST_PAGE = 1000
NAMES = ("emil", "nora", "aino", "lars", "mette", "olav", "runa", "sven")
ASSIGNED = 3  # roles of each user
AGE = timedelta(days=50)


class Dialect:
    """What the two engines write differently."""

    def __init__(self, engine: str) -> None:
        self.on_sqlite = engine == "sqlite"
        self.line = "char(10)" if self.on_sqlite else "chr(10)"

    def numbers(self, count: int, begin: int = 0) -> str:
        """Return a table of one column ``n``: so many numbers in their order."""
        if self.on_sqlite:
            return (
                f"(WITH RECURSIVE counted(n) AS (SELECT {begin} UNION ALL SELECT n + 1 FROM counted"
                f" WHERE n + 1 < {begin + count}) SELECT n FROM counted WHERE {count} > 0) AS numbers"
            )
        return f"generate_series({begin}, {begin + count - 1}) AS numbers(n)"

    def key(self, kind: int, number: str) -> str:
        """Return the id of the row with this number: a UUID that sorts by it."""
        if self.on_sqlite:
            return f"'0190000{kind}000070008000' || printf('%012x', {number})"
        return f"('0190000{kind}-0000-7000-8000-' || lpad(to_hex({number}), 12, '0'))::uuid"

    def padded(self, number: str) -> str:
        """Return the number with seven digits."""
        return f"printf('%07d', {number})" if self.on_sqlite else f"lpad(({number})::text, 7, '0')"

    def moment(self, at: datetime) -> str:
        """Return a moment as a literal."""
        return f"'{at:%Y-%m-%d %H:%M:%S.%f}'" if self.on_sqlite else f"'{at.isoformat()}'::timestamptz"


def fill(database: Database, engine: str, users: int, roles: int, events: int) -> None:
    """Write the rows."""
    add_roles(database, roles)
    dialect = Dialect(engine)
    for write in (_users(dialect, users), _assignments(dialect, users, roles), _sessions(dialect, users)):
        with database.writing() as connection:
            connection.execute(text(write))
    with database.writing() as connection:
        connection.execute(text(_events(connection, dialect, users, events)))
    if not dialect.on_sqlite:
        with database.autocommit() as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _users(dialect: Dialect, count: int) -> str:
    chosen = " ".join(f"WHEN {place} THEN '{name}'" for place, name in enumerate(NAMES))
    name = f"(CASE n % {len(NAMES)} {chosen} END) || '-' || {dialect.padded('n')}"
    at = dialect.moment(datetime.now(UTC) - AGE)
    return (
        "INSERT INTO users (id, username, username_canonical, email, email_canonical, search_text, status,"
        " password_temporary, version, authorization_version, created_at, updated_at)"
        f" SELECT {dialect.key(1, 'n')}, name, name, mail, mail, name || {dialect.line} || mail, 'active',"
        f" false, 1, 1, {at}, {at} FROM (SELECT n, {name} AS name, {name} || '@example.com' AS mail"
        f" FROM {dialect.numbers(count)}) AS made"
    )


def _assignments(dialect: Dialect, users: int, roles: int) -> str:
    owner, turn = f"(n / {ASSIGNED})", f"(n % {ASSIGNED})"
    place = (
        f"CASE WHEN {turn} = 0 AND {owner} % 10 = 0 THEN 0"
        f" ELSE ({owner} % {roles} * 7919 + {turn} * {roles // ASSIGNED + 1}) % {roles} END"
    )
    at = dialect.moment(datetime.now(UTC) - AGE)
    return (
        "INSERT INTO assignments (id, user_id, role_id, valid_from, assigned_at)"
        f" SELECT {dialect.key(2, 'n')}, {dialect.key(1, owner)}, roles.id, {at}, {at}"
        f" FROM {dialect.numbers(users * ASSIGNED)} JOIN roles ON roles.name = 'role-' || ({place})"
        " WHERE true ON CONFLICT DO NOTHING"
    )


def _sessions(dialect: Dialect, users: int) -> str:
    now = datetime.now(UTC)
    begun, ends = dialect.moment(now), dialect.moment(now + timedelta(hours=8))
    return (
        "INSERT INTO sessions (id, user_id, client_id, created_at, last_seen_at, idle_expires_at,"
        " absolute_expires_at, generation, ip, user_agent)"
        f" SELECT {dialect.key(3, 'n')}, {dialect.key(1, 'n * 5')}, 'first-party', {begun}, {begun}, {ends},"
        f" {ends}, 0, '10.0.' || (n / 250 % 250) || '.' || (n % 250), 'benchmark'"
        f" FROM {dialect.numbers(users // 5)}"
    )


def _events(connection: Connection, dialect: Dialect, users: int, count: int) -> str:
    last = connection.execute(text("SELECT max(seq) FROM trail_events")).scalar_one()
    named, person = f"'{NAMES[0]}-' || {dialect.padded(f'n % {users}')}", f"n % {users}"
    identity = dialect.key(1, person) if dialect.on_sqlite else f"({dialect.key(1, person)})::text"
    return (
        "INSERT INTO trail_events (seq, at, actor_type, actor_id, actor_name, action, target_type, target_id,"
        " target_name, outcome, prev_hash, hash)"
        f" SELECT n, {dialect.moment(datetime.now(UTC))}, 'user', {identity}, {named}, 'session.refreshed',"
        f" 'session', {identity}, {named}, 'success', {dialect.padded('n')}, {dialect.padded('n')}"
        f" FROM {dialect.numbers(count, last + 1)}"
    )


class Reads:
    """Requests of an administrator, and how long their answers took."""

    def __init__(self, client: FlaskClient, token: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"}

    @property
    def user(self) -> str:
        """The id of a user."""
        return str(self.answer("/v1/users?q=emil-0000000")["items"][0]["id"])

    def answer(self, path: str) -> dict[str, Any]:
        """Return the body of a successful answer."""
        answer = self._client.get(path, headers=self._headers)
        assert answer.status_code == 200, (path, answer.get_data(as_text=True))
        found: dict[str, Any] = answer.json or {}
        return found

    def time(self, path: str, rounds: int) -> float:
        """Return the median of the milliseconds until the answer; the first is not counted."""
        self.answer(path)
        return statistics.median(_timed(lambda: self.answer(path)) for _ in range(rounds))

    def far_page(self, path: str, number: int = LAST_PAGE) -> str:
        """Return the path of the page with this number, or of the last one."""
        here, mark = path, "&" if "?" in path else "?"
        for _ in range(number - 1):
            cursor = self.answer(here)["next"]
            if cursor is None:
                break
            here = f"{path}{mark}{urlencode({'cursor': cursor})}"
        return here


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def questions(user: str) -> dict[str, str]:
    """Return what is asked: a name for each path."""
    at = (datetime.now(UTC) - timedelta(days=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "users, first page": "/v1/users",
        "users, with a count": "/v1/users?count=true",
        "users, q= with an eighth of all": "/v1/users?q=emil",
        "users, q= with few": "/v1/users?q=emil-0000",
        "users, q= with the last eighth": "/v1/users?q=sven",
        "users, q= with one letter": "/v1/users?q=e",
        "users, q= with two letters, without a match": "/v1/users?q=zq",
        "service accounts": "/v1/service-accounts",
        "users, q= without a match": "/v1/users?q=nothing-like-it",
        "users of the most popular role": "/v1/users?role=role-0",
        "sessions, first page": "/v1/sessions",
        "sessions, with a count": "/v1/sessions?count=true",
        "sessions of one user, by id": f"/v1/sessions?user={user}",
        "sessions of one user, by name": "/v1/sessions?user=emil-0000000",
        "sessions of one address": "/v1/sessions?ip=10.0.0.0",
        "roles, first page": "/v1/roles",
        "roles, with a count": "/v1/roles?count=true",
        "members of the most popular role": "/v1/roles/role-0/members",
        "members, inherited too, with a count": "/v1/roles/role-7/members?effective=true&count=true",
        "holders of a permission, with a count": "/v1/permissions/thing9:do/holders?count=true",
        "events, first page": "/v1/audit/events",
        "events, with a count": "/v1/audit/events?count=true",
        "events of an actor": "/v1/audit/events?actor=emil-0000000",
        "events about a target": "/v1/audit/events?target=emil-0000000",
        "why a user has a permission": f"/v1/users/{user}/access?permission=thing9:do",
        "the same ten days ago": f"/v1/users/{user}/access?permission=thing9:do&at={at}",
        "the roles of a user ten days ago": f"/v1/users/{user}/roles?at={at}",
        "the members of a role ten days ago": f"/v1/roles/role-7/members?effective=true&at={at}",
        "the difference of a user since then": f"/v1/access/diff?from={at}&user={user}",
        "the difference of a role since then": f"/v1/access/diff?from={at}&role=role-7",
    }


def measure(reads: Reads, rounds: int) -> dict[str, float]:
    """Return the median milliseconds of each question."""
    found = {name: reads.time(path, rounds) for name, path in questions(reads.user).items()}
    for name, path in {
        "users": "/v1/users",
        "sessions": "/v1/sessions",
        "events": "/v1/audit/events",
    }.items():
        found[f"{name}, page {LAST_PAGE} or the last"] = reads.time(reads.far_page(path), rounds)
    return found


def table(found: dict[str, float]) -> str:
    """Return the figures as a table."""
    lines = ["| read | ms | |", "| --- | --- | --- |"]
    lines += [
        f"| {name} | {took:.1f} | {'**slow**' if took > SLOW else ''} |" for name, took in found.items()
    ]
    return "\n".join(lines)


@contextmanager
def place(engine: str, url: str | None, folder: str) -> Iterator[str]:
    """Yield the URL of the database to fill."""
    if url is not None or engine == "sqlite":
        yield url or f"sqlite:///{folder}/bench.db"
        return
    server = start_postgres(durable=True)
    try:
        yield server.create_database()
    finally:
        server.stop()


def main(arguments: list[str] | None = None) -> None:
    """Build, measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_users", description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--url", help="an empty database; a temporary one unless given")
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--roles", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, place(options.engine, options.url, folder) as url:
        stage = build_stage(Path(folder), url, 2, COST)
        database = Database(stage.settings)
        took = _timed(lambda: fill(database, options.engine, options.users, options.roles, options.events))
        database.dispose()
        sizes = f"{options.users} users, {options.roles} roles, {options.events} events"
        print(f"{options.engine}: {sizes}, built in {took / 1000:.0f} s\n")
        app = create_app(stage.settings)
        try:
            print(table(measure(Reads(app.test_client(), stage.people[0].access), options.rounds)))
        finally:
            close_app(app)


if __name__ == "__main__":
    main()
