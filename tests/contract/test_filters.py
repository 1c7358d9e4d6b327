"""Filters look rows up in an index each; no list asks for rows by one column or another, for which a database reads them all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from sqlalchemy import Column, and_, event, or_, select
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BooleanClauseList

from rbac_api import clock
from rbac_api.database import filters
from rbac_api.database.tables import metadata, sessions, users
from tests.builders import Stage
from tests.cast import ALICE, DAVE
from tests.contract.operations import Operation, operations
from tests.contract.test_bounded_reads import NEEDED, scene

PAGING = {"limit", "cursor", "count"}
AT = "2026-01-01T00:00:00Z"
# A new filter is added here, unless its values are enumerated.
VALUES = {
    "q": "dave", "user": "dave", "role": "role-manager", "status": "active", "state": "all", "ip": "203.0.113.9",
    "created_after": AT, "created_before": AT, "after": AT, "before": AT, "actor": "alice", "target": "dave",
    "action": "role.created", "outcome": "success", "type": "lockout", "effective": "true", "eligible": "true",
    "from": AT, "since": AT, "permission": "users:read", "second_factor": "true",
    "from_seq": "1", "request_id": "x", "session": "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57",
    "expires_before": AT, "without_reason": "true", "assigned_by": "alice", "last_login_before": AT,
    "domain": "root", "under": "root", "home": "acme", "never_signed_in": "true", "without_roles": "true",
}  # fmt: skip
COUNTING = {"prove_consistency", "prove_inclusion"}
PERIOD = ("valid_from", "valid_to", "assigned_at")  # narrow down rows that another column finds


def indexed(column: Column[Any]) -> bool:
    return bool(column.primary_key or column.unique) or any(
        next(iter(index.columns)).name == column.name for index in column.table.indexes
    )


def columns_of(clause: Any) -> set[tuple[str, str]]:
    """The columns that this part of a condition compares, without those of queries inside it."""
    if clause.__visit_name__ in ("select", "compound_select", "grouping") and not hasattr(clause, "operator"):
        inner = getattr(clause, "element", None)
        return columns_of(inner) if inner is not None and clause.__visit_name__ == "grouping" else set()
    if isinstance(clause, Column):
        return {(clause.table.name, clause.name)}
    return {found for child in clause.get_children() for found in columns_of(child)}


def alternatives(statement: Any) -> Iterator[tuple[set[tuple[str, str]], ...]]:
    """The ORs whose parts are about different columns."""
    for clause in visitors.iterate(statement):
        if isinstance(clause, BooleanClauseList) and clause.operator is operators.or_:
            parts = tuple(columns_of(part) for part in clause.clauses)
            if any(part != parts[0] for part in parts):
                yield parts


def refused(statement: Any) -> list[tuple[set[tuple[str, str]], ...]]:
    """Those of them for which no single index finds the rows, although each part has one, or of two tables."""
    found = []
    for parts in alternatives(statement):
        names = {name for part in parts for name in part if name[1] not in PERIOD}
        columns = [metadata.tables[table].c[name] for table, name in names]
        if len({column.table for column in columns}) > 1 or sum(map(indexed, columns)) > 1:
            found.append(parts)
    return found


@contextmanager
def executed(stage: Stage) -> Iterator[list[Any]]:
    found: list[Any] = []

    def note(_connection: Any, clause: Any, *_rest: Any) -> None:
        found.append(clause)

    event.listen(stage.database.engine, "before_execute", note)
    try:
        yield found
    finally:
        event.remove(stage.database.engine, "before_execute", note)


def asked(operation: Operation, names: dict[str, str]) -> Iterator[str]:
    """Its address without a filter and with each filter alone; a user by name and by id."""
    needed = dict(parse_qsl(NEEDED.get(operation.id, "").lstrip("?")))
    queries = [needed]
    for parameter in operation.described.get("parameters", []):
        name = parameter.get("name", "")  # a reference has none, and is of every operation
        if parameter.get("in") != "query" or name in PAGING:
            continue
        now, enum = clock.rfc3339(clock.now()), parameter["schema"].get("enum")
        value = (
            "1"
            if operation.id in COUNTING
            else enum[-1]
            if enum
            else now
            if name in ("at", "to")
            else VALUES[name]
        )
        other = {**needed, name: value}
        if operation.id == "diff_access" and name == "role":
            del other["user"]  # one of the two
        queries += [other, {**other, name: names["user_id"]}] if name == "user" else [other]
    for query in queries:
        yield f"{operation.at(names)}?{urlencode(query)}"


@pytest.mark.parametrize("few", [filters.FEW, 0], ids=["few fit", "many fit"])
def test_no_filter_asks_for_one_indexed_column_or_another(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    alice = stage.as_(ALICE)
    names = scene(stage, alice)
    monkeypatch.setattr(filters, "FEW", few)
    lists = [one for one in operations(stage.app) if one.method == "GET" and not one.public]
    assert {"list_users", "list_sessions", "list_events", "diff_access"} <= {one.id for one in lists}

    found: dict[str, Any] = {}
    for operation in lists:
        for path in asked(operation, names):
            with executed(stage) as statements:
                assert alice.get(path).status_code < 400, path
            found[path] = [parts for statement in statements for parts in refused(statement)]

    assert {path: parts for path, parts in found.items() if parts} == {}


def test_an_alternative_of_two_tables_or_two_indexes_is_refused() -> None:
    """The vulnerable twins: how the sessions of a user were found before, and a search by name or address."""
    one, other = users.c.username_canonical == "dave", sessions.c.user_id == "x"
    assert refused(select(sessions.c.id).where(or_(one, other)))
    assert refused(select(users.c.id).where(or_(one, users.c.email_canonical == "dave")))
    assert not refused(select(users.c.id).where(or_(users.c.status == "active", users.c.status == "deleted")))
    assert not refused(select(users.c.id).where(and_(one, users.c.email_canonical == "dave")))


def test_both_engines_find_the_sessions_of_a_user_by_id_in_the_index(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    with executed(stage) as statements:
        alice.get(f"/v1/sessions?user={stage.user_id(DAVE)}")
    (page,) = (one for one in statements if "FROM sessions" in str(one) and "LIMIT" in str(one))
    found = page.order_by(None).limit(None)  # of so few rows the index of the order would do as well
    sql = str(found.compile(stage.database.engine, compile_kwargs={"literal_binds": True}))

    with stage.database.reading() as connection:
        if stage.engine == "postgresql":
            connection.exec_driver_sql("SET enable_seqscan = off")
        words = "EXPLAIN" if stage.engine == "postgresql" else "EXPLAIN QUERY PLAN"
        plan = "\n".join(
            str(row[-1]) for row in connection.exec_driver_sql(f"{words} {sql.replace('%', '%%')}")
        )

    assert "ix_sessions_user_id" in plan
    assert "SCAN sessions" not in plan
