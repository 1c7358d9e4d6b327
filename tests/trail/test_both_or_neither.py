"""A change and its event are committed together or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from rbac_api.trail.recorder import OPERATOR, Target, record
from rbac_api.trail.sequencer import drain_outbox
from tests.builders import Caller, Stage
from tests.cast import ALICE, BOB, CAROL, DAVE, NEW_PASSWORD, PASSWORD
from tests.trail.breakage import FIRST_WRITTEN, broken, renamed

TABLES = (
    "users",
    "roles",
    "permissions",
    "role_permissions",
    "assignments",
    "sessions",
    "refresh_tokens",
    "password_setups",
)
# Every kind of writing that Alice, or somebody unknown, can cause.  `{dave}` is Dave's id.
WRITES: dict[str, tuple[str, str, Any]] = {
    "creating a user": ("POST", "/v1/users", {"username": "erin"}),
    "resetting a password": ("POST", "/v1/users/{dave}/password-reset", None),
    "giving a role": ("PUT", "/v1/users/{dave}/roles/auditor", {"reason": "x"}),
    "taking a role": ("DELETE", "/v1/users/{bob}/roles/role-manager", None),
    "ending sessions": ("DELETE", "/v1/users/{dave}/sessions", None),
    "creating a role": ("POST", "/v1/roles", {"name": "clerk"}),
    "granting": ("PUT", "/v1/roles/role-manager/permissions/payments:release", None),
    "withdrawing": ("DELETE", "/v1/roles/role-manager/permissions/invoices:read", None),
    "creating a permission": ("POST", "/v1/permissions", {"name": "tea:brew", "description": "Brew."}),
    "deleting a permission": ("DELETE", "/v1/permissions/invoices:read?force=true", None),
    "changing oneself": ("PATCH", "/v1/me", {"display_name": "A"}),
    "changing one's password": (
        "POST",
        "/v1/me/password",
        {"current_password": PASSWORD, "new_password": NEW_PASSWORD},
    ),
    "signing out": ("POST", "/v1/auth/logout", None),
    "signing in": ("POST", "/v1/auth/login", {"username": "dave", "password": PASSWORD}),
    "failing to sign in": ("POST", "/v1/auth/login", {"username": "dave", "password": "wrong"}),
    "refreshing": ("POST", "/v1/auth/refresh", {"refresh_token": "{token}"}),
    "reading the trail": ("GET", "/v1/audit/events", None),
}
# On PostgreSQL these do not take the write lock, and their event waits in the outbox.
WITHOUT_LOCK = ("refreshing", "signing in", "failing to sign in")


def written(stage: Stage) -> dict[str, list[Any]]:
    drain_outbox(stage.database)
    return {
        table: sorted(map(str, stage.query(f"SELECT * FROM {table}")))
        for table in (*TABLES, "trail_events", "trail_outbox")
    }


def attempt(stage: Stage, alice: Caller, method: str, path: str, body: Any) -> TestResponse:
    path = path.format(dave=stage.user_id(DAVE), bob=stage.user_id(BOB))
    if body and body.get("refresh_token"):
        body = {"refresh_token": alice.tokens["refresh_token"]}
    return alice.call(method, path, json=body)


@pytest.mark.parametrize("write", WRITES)
def test_what_the_trail_cannot_take_down_does_not_happen(stage: Stage, write: str) -> None:
    alice = stage.as_(ALICE)
    stage.as_(DAVE)
    before = written(stage)

    table = FIRST_WRITTEN[stage.engine] if write in WITHOUT_LOCK else "trail_events"
    with broken(stage, table, message="disk full in /var/lib/secret"):
        answer = attempt(stage, alice, *WRITES[write])

    assert (answer.status_code, answer.json["code"]) == (503, "audit.unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "secret" not in answer.text
    assert written(stage) == before
    assert attempt(stage, alice, *WRITES[write]).status_code < 500, "and afterwards everything goes on"


@pytest.mark.parametrize("write", ["creating a role", "signing in", "reading the trail", "granting"])
def test_without_its_table_the_service_refuses_to_change_anything(stage: Stage, write: str) -> None:
    alice = stage.as_(ALICE)
    before = written(stage)

    with renamed(stage, "trail_events"):
        answer = attempt(stage, alice, *WRITES[write])

    assert answer.status_code == 503
    assert "trail_events" not in answer.text
    assert written(stage) == before
    assert attempt(stage, alice, *WRITES[write]).status_code < 300


def test_a_refusal_that_cannot_be_taken_down_is_still_no_permission(stage: Stage) -> None:
    dave = stage.as_(DAVE)

    with broken(stage, FIRST_WRITTEN[stage.engine]):
        answer = dave.get("/v1/users")

    assert (answer.status_code, answer.json["code"]) == (503, "audit.unavailable")


def test_a_change_that_fails_after_its_event_leaves_none(stage: Stage) -> None:
    alice, before = stage.as_(ALICE), len(stage.events())

    with broken(stage, "idempotency_keys"):  # the answer is kept after the role and its event were written
        answer = alice.client.post(
            "/v1/roles", json={"name": "clerk"}, headers={**alice.headers, "Idempotency-Key": "once"}
        )

    assert answer.status_code >= 500
    assert len(stage.events()) == before
    assert alice.get("/v1/roles/clerk").status_code == 404


def test_an_event_whose_commit_fails_is_not_there(stage: Stage) -> None:
    before = len(stage.events())

    with pytest.raises(RuntimeError), stage.database.writing() as connection:
        record(connection, OPERATOR, "role.created", Target("role", "clerk", "clerk"))
        raise RuntimeError("between the event and the commit")

    assert len(stage.events()) == before


def test_carol_reads_nothing_that_is_not_taken_down(stage: Stage) -> None:
    carol = stage.as_(CAROL)

    with broken(stage, "trail_events"):
        for accept in ("application/json", "text/csv", "application/x-ndjson"):
            answer = carol.get("/v1/audit/events", headers={"Accept": accept})
            assert (answer.status_code, answer.json["code"]) == (503, "audit.unavailable"), accept
