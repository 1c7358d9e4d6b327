"""What each kind of event says: who, from where, to whom, as it was and as it is, and never a secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from rbac_api import clock
from tests.builders import Caller, Stage
from tests.cast import ALICE, CAROL, DAVE, NEW_PASSWORD, PASSWORD

ERIN = {"username": "Erin", "email": "erin@old.example"}
Step = tuple[Callable[[Caller, str], Any], str, str, dict[str, Any] | None, dict[str, Any] | None]

# What Alice does, and what the trail then says: action, target, before, after.  `{}` in a path is Erin's.
STORY: tuple[Step, ...] = (
    (
        lambda a, p: a.patch_now(p, {"email": "erin@new.example", "display_name": "Erin E"}),
        "user.updated", "Erin",
        {"display_name": None, "email": "erin@old.example"}, {"display_name": "Erin E", "email": "erin@new.example"},
    ),
    (
        lambda a, p: a.patch_now(p, {"status": "disabled"}),
        "user.disabled", "Erin", {"status": "active"}, {"sessions_ended": 0, "status": "disabled"},
    ),
    (
        lambda a, p: a.patch_now(p, {"status": "active"}),
        "user.enabled", "Erin", {"status": "disabled"}, {"status": "active"},
    ),
    (
        lambda a, p: a.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read"]}),
        "role.created", "clerk",
        None,
        {
            "description": "", "grants": "listed", "home": "root", "name": "clerk", "permissions": ["invoices:read"],
            "requires_mfa": False,
        },
    ),
    (
        lambda a, p: a.patch_now("/v1/roles/clerk", {"description": "Files."}),
        "role.updated", "clerk", {"description": ""}, {"description": "Files."},
    ),
    (
        lambda a, p: a.put("/v1/roles/clerk/permissions/invoices:approve"),
        "permission.granted", "clerk", None, {"permission": "invoices:approve"},
    ),
    (
        lambda a, p: a.delete("/v1/roles/clerk/permissions/invoices:approve"),
        "permission.withdrawn", "clerk", {"permission": "invoices:approve"}, None,
    ),
    (
        lambda a, p: a.put(f"{p}/roles/clerk", json={"reason": "Holidays"}),
        "assignment.created", "Erin", None, {"role": "clerk"},
    ),
    (
        lambda a, p: a.post("/v1/constraints", json={"name": "seat", "kind": "max-holders", "roles": ["clerk"], "limit": 3}),
        "constraint.created", "seat", None, {"kind": "max-holders", "limit": 3, "name": "seat", "roles": ["clerk"]},
    ),
    (
        lambda a, p: a.delete("/v1/constraints/seat"),
        "constraint.deleted", "seat", {"kind": "max-holders", "limit": 3, "name": "seat", "roles": ["clerk"]}, None,
    ),
    (
        lambda a, p: a.put(f"{p}/roles/clerk", json={"mode": "eligible", "max_duration": 600, "reason": "On call"}),
        "assignment.updated", "Erin",
        {"role": "clerk", "reason": "Holidays", "mode": "active", "max_duration": None},
        {"role": "clerk", "reason": "On call", "mode": "eligible", "max_duration": 600},
    ),
    (lambda a, p: a.delete(f"{p}/roles/clerk"), "assignment.ended", "Erin", {"role": "clerk"}, None),
    (
        lambda a, p: a.delete_now("/v1/roles/clerk"),
        "role.deleted", "clerk",
        {
            "description": "Files.", "grants": "listed", "home": "root", "inherits": [], "name": "clerk",
            "permissions": ["invoices:read"], "requires_mfa": False,
        },
        {"holders": 0},
    ),
    (
        lambda a, p: a.post("/v1/permissions", json={"name": "tea:brew", "description": "Brew tea."}),
        "permission.created", "tea:brew", None, {"description": "Brew tea.", "name": "tea:brew"},
    ),
    (
        lambda a, p: a.delete("/v1/permissions/tea:brew"),
        "permission.deleted", "tea:brew", {"description": "Brew tea.", "name": "tea:brew", "roles": []}, None,
    ),
    (
        lambda a, p: a.delete_now(p),
        "user.deleted", "Erin",
        {"display_name": "Erin E", "email": "erin@new.example", "home": "root", "password_temporary": False, "roles": [],
         "status": "active", "username": "Erin"},
        {"sessions_ended": 0},
    ),
)  # fmt: skip


def facts(text: str | None) -> Any:
    return json.loads(text) if text else None


def test_everything_alice_does_to_erin_is_told_as_it_was_and_as_it_is(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    path = f"/v1/users/{alice.post('/v1/users', json=ERIN).json['id']}"

    for do, action, target, before, after in STORY:
        assert do(alice, path).status_code < 300, action
        event = stage.events()[-1]
        assert (event["action"], event["target_name"]) == (action, target)
        assert (facts(event["before"]), facts(event["after"])) == (before, after)


def test_an_event_says_who_from_where_when_and_under_which_request(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    alice.post("/v1/users", json=ERIN, headers={"X-Request-ID": "erins-first-day"})

    *_, previous, event = stage.events()
    assert event["actor_type"] == "user"
    assert event["actor_id"] == stage.user_id(ALICE)
    assert str(event["session_id"]).replace("-", "") == alice.tokens["session_id"].replace("-", "")
    assert (event["actor_name"], event["ip"]) == ("alice", "127.0.0.1")
    assert (event["request_id"], event["outcome"]) == ("erins-first-day", "success")
    assert event["seq"] == len(stage.events())
    assert event["prev_hash"] == previous["hash"]


def test_the_moment_of_an_event_is_utc(stage: Stage) -> None:
    alice, carol = stage.as_(ALICE), stage.as_(CAROL)
    alice.post("/v1/users", json=ERIN)

    told = carol.get("/v1/audit/events?action=user.created&limit=1").json["items"][0]["at"]

    assert told.endswith("Z")
    assert abs(datetime.fromisoformat(told) - clock.now()) < timedelta(seconds=30)


def test_dave_signs_in_fails_refreshes_and_leaves_and_each_is_told(stage: Stage) -> None:
    dave, before = stage.as_(DAVE), len(stage.events()) - 1
    stage.caller().post("/v1/auth/login", json={"username": "dave", "password": "no"})
    stage.caller().post("/v1/auth/login", json={"username": "nobody", "password": "no"})
    dave.post("/v1/auth/refresh", json={"refresh_token": dave.tokens["refresh_token"]})
    dave.post("/v1/auth/logout")

    told = [(e["action"], e["actor_name"], e["target_name"], e["reason"]) for e in stage.events()[before:]]

    assert told == [
        ("signin.succeeded", "dave", "dave", None),
        ("signin.failed", None, "dave", "wrong password"),
        ("signin.failed", None, None, "unknown user"),
        ("token.rotated", "dave", "dave", None),
        ("session.ended", "dave", "dave", "logout"),
    ]


def test_what_dave_was_refused_is_told_with_what_he_lacked(stage: Stage) -> None:
    stage.as_(DAVE).post("/v1/roles", json={"name": "king"})

    event = stage.events()[-1]

    assert (event["action"], event["outcome"], event["actor_name"]) == ("access.refused", "refused", "dave")
    wanted = {
        "code": "access.denied",
        "method": "POST",
        "path": "/v1/roles",
        "required": "roles:create",
        "times": 1,
    }
    assert facts(event["after"]) == wanted


@pytest.mark.parametrize("form", ["user", "reset", "own"])
def test_no_password_token_or_hash_ever_stands_in_the_trail(stage: Stage, form: str) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    hashes = [row[0] for row in stage.query("SELECT password_hash FROM users")]
    secrets = [PASSWORD, NEW_PASSWORD, *filter(None, hashes), *alice.tokens.values(), *dave.tokens.values()]
    if form == "user":
        alice.post("/v1/users", json={"username": "frank", "password": NEW_PASSWORD})
    elif form == "reset":
        token = alice.post(f"/v1/users/{stage.user_id(DAVE)}/password-reset").json["token"]
        stage.caller().post("/v1/auth/password-setup", json={"token": token, "new_password": NEW_PASSWORD})
        secrets.append(token)
    else:
        dave.post("/v1/me/password", json={"current_password": PASSWORD, "new_password": NEW_PASSWORD})

    trail = json.dumps(stage.events(), default=str)

    leaked = [
        s
        for s in secrets
        if isinstance(s, str) and len(s) > 12 and s in trail and s not in own_ids(alice, dave)
    ]
    assert not leaked


def own_ids(*callers: Caller) -> set[str]:
    """A session's id is no credential."""
    return {caller.tokens["session_id"] for caller in callers}
