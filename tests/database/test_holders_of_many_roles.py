"""A permission may be held by thousands of roles: finding who has one of them looks up each account once, not each role for it."""

from __future__ import annotations

import pytest
from sqlalchemy import ColumnElement, exists, select

from rbac_api import clock
from rbac_api.capabilities.access import queries as access
from rbac_api.capabilities.evaluation import queries as evaluation
from rbac_api.capabilities.users import queries_listing as people
from rbac_api.database import filters
from rbac_api.database.filters import counting, holding, holds_one_of
from rbac_api.database.tables import assignments, roles, users
from tests.builders import Stage
from tests.capabilities.activations.scenes import give
from tests.cast import ALICE, BOB, CAROL, DAVE

HOLDERS = ("bob", "carol", "mallory")  # of whom the last is disabled


def plan(stage: Stage, condition: ColumnElement[bool]) -> str:
    """How the engine reads the assignments for accounts in their order."""
    with stage.database.reading() as connection:
        query = select(users.c.id).where(condition).order_by(users.c.id)
        text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        explain = "EXPLAIN QUERY PLAN " if stage.engine == "sqlite" else "EXPLAIN "
        lines = [str(row[-1]) for row in connection.exec_driver_sql(explain + text)]
    return "\n".join(line for line in lines if "assignments" in line)


def bare(role_ids: list[str]) -> ColumnElement[bool]:
    """The twin: the account and the bare column of roles, for which there is one index."""
    given = holding(role_ids, clock.now())
    return exists(select(1).where(assignments.c.user_id == users.c.id, given))


def test_an_account_is_looked_up_by_itself_and_the_twin_looks_up_every_role(stage: Stage) -> None:
    with stage.database.reading() as connection:
        role_ids = list(connection.execute(select(roles.c.id)).scalars())
        mine = holds_one_of(connection, users.c.id, role_ids, counting(clock.now()))
    by_role = "role_id=? AND user_id=?"
    assert by_role not in plan(stage, mine)
    assert (by_role in plan(stage, bare(role_ids))) is (stage.engine == "sqlite")


@pytest.mark.parametrize("few", [0, 5000])
def test_few_and_many_find_the_same_accounts(stage: Stage, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(filters, "FEW", few)
    alice = stage.as_(ALICE)
    give(alice, DAVE, "auditor", mode="eligible")
    names = frozenset({"auditor", "role-manager"})
    with stage.database.reading() as connection:
        found = select(roles.c.id).where(roles.c.name.in_(names))
        role_ids, now = tuple(connection.execute(found).scalars()), clock.now()
        active = access.Holding(role_ids, now, active=True)
        either = access.Holding(role_ids, now)
        by_role = select(users.c.username).where(people.holds_role(connection, names, now))
        candidates = evaluation.Candidates("person", role_ids, now)
        now_active = [row.username for row in access.list_holders(connection, active, None, 9)]
        with_eligible = [row.username for row in access.list_holders(connection, either, None, 9)]
        assert (now_active, with_eligible) == ([*HOLDERS], ["bob", "carol", "dave", "mallory"])
        assert sorted(connection.execute(by_role).scalars()) == [*HOLDERS]
        listed = evaluation.list_candidates(connection, candidates, "", 9)
    assert sorted(listed) == sorted([stage.user_id(BOB), stage.user_id(CAROL)])
