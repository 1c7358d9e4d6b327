"""What is at home in a domain is found as a range of an index, on both engines: the same rows as by the names."""

from __future__ import annotations

from random import Random

import pytest
from sqlalchemy import String, bindparam, select

from rbac_api.database import filters, homes
from rbac_api.database.homes import at_home, at_home_exactly, is_in
from rbac_api.database.tables import users
from rbac_api.decision import domains
from rbac_api.decision.model import ROOT
from tests.builders import Stage

# ``-`` is before ``.``, and ``0`` after ``/``: all of them are near the ends of a range.
NAMES = ("acme", "acme-eu", "acme.eu", "acme.eu-2", "acme.eu.x", "acme0", "acme2", "ac", "b.acme", "b", "z")


def scopes() -> list[list[str]]:
    chance = Random(7)
    return [[], *([name] for name in NAMES), *(chance.sample(NAMES, 3) for _ in range(10))]


@pytest.mark.parametrize("many", [homes.MANY, 0], ids=["few domains", "many domains"])
def test_a_column_names_a_domain_or_one_in_it(
    stage: Stage, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homes, "MANY", many)
    named = bindparam("name", type_=String)
    with stage.database.reading() as connection:
        for scope in scopes():
            asked = select(is_in(connection, named, scope))
            found = {name for name in (ROOT, *NAMES) if connection.execute(asked, {"name": name}).scalar()}
            assert found == {name for name in NAMES if any(domains.is_in(name, one) for one in scope)}, scope


@pytest.mark.parametrize("few", [filters.FEW, 0], ids=["few rows", "many rows"])
@pytest.mark.parametrize("many", [homes.MANY, 0], ids=["few domains", "many domains"])
def test_rows_at_home_are_those_in_the_domains(
    stage: Stage, few: int, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "FEW", few)
    monkeypatch.setattr(homes, "MANY", many)
    live = dict(
        zip(
            ("alice", "bob", "carol", "dave", "mallory"),
            ("acme-eu", "acme.eu", "acme", "b", ROOT),
            strict=True,
        )
    )
    stage.execute(
        *(f"UPDATE users SET home = '{home}' WHERE username = '{name}'" for name, home in live.items())
    )
    with stage.database.reading() as connection:
        for scope in [[ROOT], *scopes()]:
            here = select(users.c.username).where(at_home(connection, users, scope))
            found = set(connection.execute(here.where(users.c.username.in_(live))).scalars())
            assert found == {
                name for name, home in live.items() if any(domains.is_in(home, one) for one in scope)
            }
        for home in (ROOT, *NAMES):
            exactly = select(users.c.username).where(at_home_exactly(connection, users, home))
            found = set(connection.execute(exactly.where(users.c.username.in_(live))).scalars())
            assert found == {name for name in live if live[name] == home}


@pytest.mark.parametrize("many", [homes.MANY, 0], ids=["few domains", "many domains"])
def test_both_engines_find_them_in_the_index(
    stage: Stage, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homes, "MANY", many)
    with stage.database.reading() as connection:
        here = select(users.c.username).where(at_home(connection, users, ["acme", "globex.eu"]))
        sql = str(here.compile(stage.database.engine, compile_kwargs={"literal_binds": True}))
        if stage.engine == "postgresql":
            connection.exec_driver_sql("SET enable_seqscan = off")
        words = "EXPLAIN" if stage.engine == "postgresql" else "EXPLAIN QUERY PLAN"
        plan = "\n".join(
            str(row[-1]) for row in connection.exec_driver_sql(f"{words} {sql.replace('%', '%%')}")
        )
    assert "ix_users_home" in plan
    assert "SCAN users" not in plan
