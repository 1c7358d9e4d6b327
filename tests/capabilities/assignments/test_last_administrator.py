"""There is always somebody left to administrate: one after another and all at once."""

import json
from typing import Any

import pytest

from rbac_api import clock
from rbac_api.capabilities.assignments import service
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import LastAdministrator
from rbac_api.guard.state.queries import list_administrators
from rbac_api.observability.metrics import REFUSALS
from tests.builders import Caller, Stage
from tests.capabilities.signin.crowd import together
from tests.cast import ALICE, BOB, DAVE, MALLORY
from tests.meeting import met
from tests.sizes import sized

ROUNDS = sized(3, 100)
FAR_AWAY = {"sqlite": "'2099-01-01 00:00:00'", "postgresql": "TIMESTAMPTZ '2099-01-01Z'"}


def administrators(stage: Stage) -> list[str]:
    """Who is enabled, can sign in, and holds ``admin`` without an end."""
    found = stage.query(
        "SELECT u.username FROM users u JOIN assignments a ON a.user_id = u.id JOIN roles r ON r.id = a.role_id"
        " WHERE r.name = 'admin' AND a.valid_to IS NULL AND a.mode = 'active' AND u.status = 'active' AND u.password_hash IS NOT NULL"
    )
    return sorted(username for (username,) in found)


def leave(stage: Stage, alice: Caller) -> list[Any]:
    """Every way in which Alice could cease to be an administrator; her own password she cannot reset at all."""
    path = f"/v1/users/{stage.user_id(ALICE)}"
    return [
        alice.delete_now(path),
        alice.patch_now(path, {"status": "disabled"}),
        alice.delete(f"{path}/roles/admin"),
    ]


def test_alice_the_only_administrator_cannot_leave(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    answers = leave(stage, alice)

    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {(409, "admin.last")}
    assert administrators(stage) == ["alice"]
    assert stage.as_(ALICE).get("/v1/users").status_code == 200


def test_every_attempt_to_leave_nobody_stands_in_the_trail_and_in_the_figures(stage: Stage) -> None:
    alice, refused = stage.as_(ALICE), REFUSALS.labels("admin.last")
    before = refused._value.get()

    leave(stage, alice)

    told = [json.loads(event["after"]) for event in stage.events("access.refused")]
    assert [(facts["code"], facts["method"]) for facts in told] == [
        ("admin.last", method) for method in ("DELETE", "PATCH", "DELETE")
    ]
    assert {event["actor_name"] for event in stage.events("access.refused")} == {"alice"}
    assert refused._value.get() - before == 3


def test_neither_somebody_disabled_nor_somebody_without_a_password_can_stand_in_for_alice(
    stage: Stage,
) -> None:
    alice = stage.as_(ALICE)
    newcomer = alice.post("/v1/users", json={"username": "newcomer"}).json["id"]
    for somebody in (newcomer, stage.user_id(MALLORY)):
        assert alice.put(f"/v1/users/{somebody}/roles/admin").status_code == 201

    assert {answer.json["code"] for answer in leave(stage, alice)} == {"admin.last"}


def test_nor_can_somebody_whose_time_as_administrator_has_an_end(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.put(f"/v1/users/{stage.user_id(BOB)}/roles/admin")
    newest = "(SELECT id FROM assignments ORDER BY assigned_at DESC LIMIT 1)"
    stage.execute(f"UPDATE assignments SET valid_to = {FAR_AWAY[stage.engine]} WHERE id = {newest}")

    assert {answer.json["code"] for answer in leave(stage, alice)} == {"admin.last"}


def test_nor_does_a_deputy_with_every_permission_reset_the_password_of_the_only_administrator(
    stage: Stage,
) -> None:
    alice, path = stage.as_(ALICE), f"/v1/users/{stage.user_id(ALICE)}/password-reset"
    everything = [permission["name"] for permission in alice.get("/v1/permissions?limit=200").json["items"]]
    alice.post("/v1/roles", json={"name": "deputy", "permissions": everything})
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/deputy")

    by_deputy, by_herself = stage.as_(DAVE).post(path), alice.post(path)

    assert (by_deputy.status_code, by_deputy.json["code"]) == (409, "admin.last")
    assert (by_herself.status_code, by_herself.json["code"]) == (403, "target.self")
    assert administrators(stage) == ["alice"]


def test_alice_leaves_once_bob_is_an_administrator_too(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.put(f"/v1/users/{stage.user_id(BOB)}/roles/admin")

    assert alice.delete(f"/v1/users/{stage.user_id(ALICE)}/roles/admin").status_code == 204

    assert alice.get("/v1/users").json["required"] == "users:read"
    assert administrators(stage) == ["bob"]


def test_who_administrates_through_another_role_counts_and_then_cannot_lose_it(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    alice.post("/v1/roles", json={"name": "boss"})
    alice.put("/v1/roles/boss/inherits/admin")
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/boss")
    assert alice.delete(f"/v1/users/{stage.user_id(ALICE)}/roles/admin").status_code == 204

    answers = [
        dave.delete("/v1/roles/boss/inherits/admin"),
        dave.delete_now("/v1/roles/boss?force=true"),
        dave.delete(f"/v1/users/{stage.user_id(DAVE)}/roles/boss"),
    ]

    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {(409, "admin.last")}
    assert dave.get("/v1/me").json["roles"] == ["admin", "boss"]


Way = tuple[str, str, dict[str, Any] | None]
WAYS = {
    "gives up the role": lambda own, _other: ("DELETE", f"/v1/users/{own}/roles/admin", None),
    "disables herself": lambda own, _other: ("PATCH", f"/v1/users/{own}", {"status": "disabled"}),
    "demotes the other": lambda _own, other: ("DELETE", f"/v1/users/{other}/roles/admin", None),
    "disables the other": lambda _own, other: ("PATCH", f"/v1/users/{other}", {"status": "disabled"}),
    "deletes the other": lambda _own, other: ("DELETE", f"/v1/users/{other}", None),
    "resets the other's password": lambda _own, other: ("POST", f"/v1/users/{other}/password-reset", None),
}


def clash(stage: Stage, way: Any) -> list[int]:
    """Alice and Bob, both administrators, do it at the same moment."""
    stage.reset()
    alice = stage.as_(ALICE)
    ids = [stage.user_id(ALICE), stage.user_id(BOB)]
    alice.put(f"/v1/users/{ids[1]}/roles/admin")
    callers = [alice, stage.as_(BOB)]
    orders = [way(ids[0], ids[1]), way(ids[1], ids[0])]
    tags = [
        alice.get(path.partition("/roles/")[0].removesuffix("/password-reset")).headers["ETag"]
        for _, path, _ in orders
    ]

    def act(number: int) -> int:
        method, path, body = orders[number]
        headers = {**callers[number].headers, "If-Match": tags[number]}
        return stage.app.test_client().open(path, method=method, json=body, headers=headers).status_code

    return together(2, act)


@pytest.mark.soak
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_of_two_administrators_who_act_at_once_one_remains(stage: Stage, way: Any) -> None:
    for _ in range(ROUNDS):
        statuses = clash(stage, way)

        assert len(administrators(stage)) == 1
        assert len([status for status in statuses if status < 300]) == 1
        assert set(statuses) <= {200, 201, 204, 401, 403, 409}


def test_a_count_before_the_lock_would_leave_nobody(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vulnerable twin: the administrators are counted before the write lock is taken."""
    careful, meet = service.revoke_role, met(2)

    def naive(clearance: Clearance, user_id: str, role: str, domain: str) -> None:
        with clearance.work.database.reading() as connection:
            if len(list_administrators(connection, frozenset({"admin"}), clock.now())) <= 1:
                raise LastAdministrator()
        meet()
        careful(clearance, user_id, role, domain)

    monkeypatch.setattr(service, "revoke_role", naive)
    monkeypatch.setattr(Clearance, "require_administrator_remains", lambda _self: None)

    assert clash(stage, WAYS["gives up the role"]) == [204, 204]
    assert administrators(stage) == []
