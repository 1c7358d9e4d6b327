"""Measures what domains cost in an installation of a million users in ten thousand of them.

Usage: ``python -m benchmarks.domains [--engine sqlite|postgresql] [--users N] [--domains N] [--roles N]
[--assignments N] [--rounds N]``

The domains stand in chains of eight: ``t7``, ``t7.b``, ``t7.b.c`` and so on. Users are at home in all of them
alike, and as many as ``--assignments`` says have a role at their home. Three tables: pages of fifty for the
administrator of one chain and for one of everything, in milliseconds, with what took longer than 100 ms
marked; a protected request at ``root`` and at depth eight, in CPU time; and one decision, without a cache and
in the guard.
"""

# ruff: noqa: S608 -- every part of these statements is made here
from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from uuid import UUID

from flask import Flask
from sqlalchemy import text

from benchmarks.decisions import AT, company, graph_and_subjects
from benchmarks.many_users import COST, SLOW, Dialect, Reads, fill, place
from benchmarks.reads import call, environ_of
from benchmarks.server import ROUTE, ours, tiny
from benchmarks.stage import PASSWORD, PERMISSION, Stage, build_stage
from rbac_api.capabilities.assignments.service import Terms, assign_role
from rbac_api.cli.prepare import operator_unit
from rbac_api.database.engine import Database
from rbac_api.decision.domains import at_domain, lineage
from rbac_api.decision.evaluate import decide
from rbac_api.decision.model import Assignment
from rbac_api.factory import close_app
from rbac_api.guard.enforcement.decorators import requires
from rbac_api.guard.state.subjects import person_of

DEPTH, TENANT, TURNS, CALLS = 8, "t7", 40, 200
LEVELS = "bcdefgh"
LISTS = (
    "/v1/users", "/v1/users?count=true", "/v1/users?q=nora", "/v1/service-accounts", "/v1/sessions",
    "/v1/sessions?count=true", "/v1/assignments", "/v1/roles", "/v1/domains", "/v1/audit/events",
    "/v1/incidents",
)  # fmt: skip
FAR = ("/v1/users", "/v1/sessions", "/v1/assignments")
FAR_PAGE = 10  # a chain of eight domains has 800 users


def chain(tenant: str) -> list[str]:
    """Return the domains of a tenant, the outermost first."""
    return [".".join((tenant, *LEVELS[:depth])) for depth in range(DEPTH)]


def settle(database: Database, dialect: Dialect, users: int, domains: int, assignments: int) -> None:
    """Make the domains, let users be at home in them, and assign roles there."""
    names = [name for number in range(domains // DEPTH) for name in chain(f"t{number}")]
    at, holder = dialect.moment(datetime.now(UTC)), dialect.key(1, "n")
    made = (
        "INSERT INTO domains (id, name, description, valid_from)"
        f" SELECT {dialect.key(5, 'number')}, name, '', {at} FROM homes"
    )
    moved = (
        f"UPDATE users SET home = homes.name FROM homes, {dialect.numbers(users)}"
        f" WHERE users.id = {holder} AND homes.number = n % {len(names)}"
    )
    assigned = (
        "INSERT INTO assignments (id, user_id, role_id, valid_from, assigned_at, domain)"
        f" SELECT {dialect.key(6, 'n')}, {holder}, roles.id, {at}, {at}, homes.name"
        f" FROM {dialect.numbers(assignments)} JOIN homes ON homes.number = n % {len(names)}"
        " JOIN roles ON roles.name = 'role-' || (n % 7)"
    )
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE homes (number INTEGER PRIMARY KEY, name VARCHAR(255))"))
        rows = [{"number": number, "name": name} for number, name in enumerate(names)]
        connection.execute(text("INSERT INTO homes VALUES (:number, :name)"), rows)
        for statement in (made, moved, assigned, "DROP TABLE homes"):
            connection.execute(text(statement))
    if not dialect.on_sqlite:
        with database.autocommit() as connection:
            connection.execute(text("VACUUM ANALYZE"))


def administer(stage: Stage, database: Database) -> None:
    """Make the second user the administrator of one tenant, and the third the reader at its innermost."""
    with operator_unit(stage.settings, database) as clearance:
        found = text("SELECT id FROM users WHERE username = :name")
        for name, role, domain in (
            ("bench-1", "admin", TENANT),
            ("bench-2", "bench-reader", chain(TENANT)[-1]),
        ):
            user_id = clearance.connection.execute(found, {"name": name}).scalar_one()
            assign_role(clearance, str(UUID(str(user_id))), role, Terms(domain=domain))


def measure_lists(app: Flask, tokens: dict[str, str], rounds: int) -> list[str]:
    """Return a row for each list: milliseconds of a page for each administrator, and the ratio."""
    readers = {who: Reads(app.test_client(), token) for who, token in tokens.items()}
    asked = [(path, 1) for path in LISTS] + [(path, FAR_PAGE) for path in FAR]
    lines = ["| page of 50 | the tenant's administrator, ms | of everything, ms | |", "|---|---|---|---|"]
    for path, page in asked:
        pages = [(reads, reads.far_page(path, page)) for reads in readers.values()]
        own, all_of_it = (reads.time(address, rounds) for reads, address in pages)
        name = f"`{path}`" if page == 1 else f"`{path}`, page {page}"
        lines.append(f"| {name} | {own:.1f} | {all_of_it:.1f} | {'**slow**' if own > SLOW else ''} |")
    return lines


def measure_requests(app: Flask, token: str) -> list[str]:
    """Return rows for a protected request at ``root`` and at depth eight, of the same user."""
    paths = {"root": ROUTE, "depth eight": f"{ROUTE}/{chain(TENANT)[-1]}"}
    environs = {name: environ_of(path, f"Bearer {token}") for name, path in paths.items()}
    turns: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(TURNS):
        for name, environ in environs.items():
            began = time.thread_time_ns()
            for _ in range(CALLS):
                call(app.wsgi_app, environ)
            turns[name].append((time.thread_time_ns() - began) / CALLS / 1000)
    rows = ["| protected request | CPU us | of that at `root` |", "|---|---|---|"]
    for name, taken in turns.items():
        ratio = median(own / first for own, first in zip(taken, turns["root"], strict=True))
        rows.append(f"| at {name} | {median(taken):.0f} | {ratio:.2f} |")
    return rows


def measure_decisions(roles: int) -> list[str]:
    """Return rows for one decision, at ``root`` and at depth eight, without a cache and in the guard."""
    given = company(roles)
    graph, subjects = graph_and_subjects(given)
    deepest = chain(TENANT)[-1]
    there = [
        replace(
            one,
            assignments=(),
            elsewhere=tuple(
                Assignment(held.role, AT, domain=lineage(deepest)[number])
                for number, held in enumerate(one.assignments)
            ),
        )
        for one in subjects
    ]
    people = {
        place: [person_of(graph, one, "person", one.id, AT) for one in some]
        for place, some in (("root", subjects), ("depth eight", there))
    }
    asked = [(person, f"thing-{role}:read") for person, role in given.questions]
    ways: dict[str, Callable[[int, str], object]] = {
        "without a cache, at root": lambda who, what: decide(graph, subjects[who], what, AT),
        "without a cache, at depth eight": lambda who, what: decide(
            graph, at_domain(there[who], deepest), what, AT
        ),
        "in the guard, at root": lambda who, what: people["root"][who].may(what),
        "in the guard, at depth eight": lambda who, what: people["depth eight"][who].at(deepest).may(what),
    }
    rows = [f"| decision, {roles:,} roles | us |", "|---|---|"]
    return rows + [f"| {name} | {_microseconds(way, asked):.2f} |" for name, way in ways.items()]


def _microseconds(way: Callable[[int, str], object], asked: list[tuple[int, str]]) -> float:
    taken = []
    for _ in range(6):
        began = time.thread_time_ns()
        for who, what in asked:
            way(who, what)
        taken.append((time.thread_time_ns() - began) / len(asked) / 1000)
    return min(taken[1:])


def guarded(stage: Stage) -> Flask:
    """The service, and its protected route once more: at the domain in the path."""
    app = ours(stage.settings)
    app.add_url_rule(
        f"{ROUTE}/<place>",
        "there",
        requires(PERMISSION, domain="place")(lambda place: tiny()),  # noqa: ARG005
    )
    return app


def main(arguments: list[str] | None = None) -> None:
    """Build, measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.domains", description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--domains", type=int, default=10_000)
    parser.add_argument("--roles", type=int, default=10_000)
    parser.add_argument("--assignments", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, place(options.engine, None, folder) as url:
        stage = build_stage(Path(folder), url, 3, COST)
        database = Database(stage.settings)
        fill(database, options.engine, options.users, options.roles, 0)
        settle(database, Dialect(options.engine), options.users, options.domains, options.assignments)
        administer(stage, database)
        database.dispose()
        print(f"{options.engine}: {options.users} users, {options.domains} domains, {options.roles} roles\n")
        app = guarded(stage)
        try:
            tokens = {who: _token(app, who) for who in ("bench-1", "bench-0", "bench-2")}
            reader = tokens.pop("bench-2")
            tables = (measure_lists(app, tokens, options.rounds), measure_requests(app, reader))
            print("\n\n".join("\n".join(rows) for rows in (*tables, measure_decisions(options.roles))))
        finally:
            close_app(app)


def _token(app: Flask, name: str) -> str:
    login = {"username": name, "password": PASSWORD}
    return str(app.test_client().post("/v1/auth/login", json=login).get_json()["access_token"])


if __name__ == "__main__":
    main()
