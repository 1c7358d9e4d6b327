"""Who asks about oneself is told who gave it, of those at home where one is oneself, and below."""

from __future__ import annotations

import pytest

from rbac_api.guard.enforcement.clearance import Clearance
from tests.builders import Stage
from tests.cast import ALICE, CAROL, DAVE

READ = "invoices:read"


def giver(stage: Stage) -> list[str | None]:
    """Whom Dave's own answers name as the one who gave him the role."""
    dave = stage.as_(DAVE)
    answers = (
        dave.get(f"/v1/me/access?permission={READ}").json["paths"][0][0],
        dave.get("/v1/me/permissions").json["items"][0]["paths"][0][0],
    )
    return [step["who"] and step["who"]["username"] for step in answers]


def test_a_tenants_user_is_not_told_who_at_root_gave_a_role(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk", "permissions": [READ]})
    alice.post("/v1/domains", json={"name": "acme"})
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/clerk", json={})
    assert giver(stage) == ["alice"] * 2
    move = "UPDATE users SET home = 'acme' WHERE username = '{}'"
    stage.execute(move.format(DAVE.username))
    assert giver(stage) == [None] * 2
    stage.execute(move.format(ALICE.username))
    assert giver(stage) == ["alice"] * 2
    stage.execute("UPDATE users SET home = 'root' WHERE username = 'alice'")
    monkeypatch.setattr(Clearance, "nameable", lambda _, accounts, *__: frozenset(accounts))
    assert giver(stage) == ["alice"] * 2, "the twin"


def test_a_reader_of_users_is(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.put(f"/v1/users/{stage.user_id(CAROL)}/roles/role-manager", json={})
    carol = stage.as_(CAROL)
    told = carol.get("/v1/me/access?permission=invoices:approve").json["paths"][0][0]
    assert told["who"]["username"] == "alice"
