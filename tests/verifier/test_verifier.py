"""A service that has our tokens and nothing else of ours: whom it lets in, and how soon it hears what was taken back."""

from __future__ import annotations

import runpy
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import time_machine

from rbac_api import clock
from rbac_api.capabilities.revocations import service as feed_service
from rbac_api.guard.revocation.denylist import revoke
from rbac_api.verifier import Refused, Verifier
from rbac_verifier import keys, revoked
from rbac_verifier import verifier as module
from tests.capabilities.signin.crowd import claims, refresh
from tests.cast import ALICE, BOB, CAROL, DAVE
from tests.guard.forgery import Model, forgeries
from tests.patience import PATIENCE, eventually
from tests.verifier.conftest import BOUND, POLL, Field

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "flask" / "app.py"


def code(verifier: Verifier, token: str) -> str:
    """``ok``, or the code it is refused with."""
    try:
        verifier.identify_token(token)
    except Refused as refused:
        return refused.code
    return "ok"


def becomes(verifier: Verifier, token: str, wanted: str) -> bool:
    return eventually(lambda: code(verifier, token) == wanted, POLL / 2)


@pytest.fixture
def theirs(field: Field) -> Any:
    """The example, as it stands in the documentation."""
    return runpy.run_path(str(EXAMPLE))["create_app"](field.verifier()).test_client()


def test_who_has_a_good_token_is_known_and_the_role_counts(field: Field, theirs: Any) -> None:
    field.stage.as_(ALICE).post("/v1/roles", json={"name": "clerk"})
    field.stage.as_(ALICE).put(f"/v1/users/{field.stage.user_id(DAVE)}/roles/clerk")
    dave, carol = field.stage.as_(DAVE), field.stage.as_(CAROL)

    assert theirs.get("/orders", headers=carol.headers).json == {"of": field.stage.user_id(CAROL)}
    shipped = theirs.post("/orders/7/shipment", headers=dave.headers)
    assert (shipped.status_code, shipped.json["by"]) == (201, field.stage.user_id(DAVE))
    refused = theirs.post("/orders/7/shipment", headers=carol.headers)
    assert (refused.status_code, refused.mimetype) == (403, "application/problem+json")
    assert (refused.json["code"], refused.json["required_role"]) == ("access.denied", "clerk")
    assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("header", "told", "challenge"),
    [
        (None, (401, "token.missing"), 'Bearer realm="rbac-api"'),
        ("Basic YTpi", (401, "token.missing"), 'Bearer realm="rbac-api"'),
        ("Basic YTpi, Bearer x", (400, "credentials.repeated"), "invalid_request"),
        ("Bearer x", (401, "token.invalid"), "invalid_token"),
        ("Bearer", (401, "token.missing"), 'Bearer realm="rbac-api"'),
    ],
)
def test_nobody_is_asked_who_she_is(
    theirs: Any, header: str | None, told: tuple[int, str], challenge: str
) -> None:
    answer = theirs.get("/orders", headers={"Authorization": header} if header else {})

    assert (answer.status_code, answer.json["code"]) == told
    assert challenge in answer.headers["WWW-Authenticate"]
    assert answer.json["type"].endswith(f"/problems/{told[1]}")
    assert answer.headers["Cache-Control"] == "no-store"


def test_no_forgery_is_honoured(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "APART", 1e-9)
    verifier, (text, _) = field.verifier(), field.token(ALICE)
    model = Model(text, field.stage.guard.keyring.active())
    assert code(verifier, text) == "ok"

    honoured = [
        name
        for name, token in forgeries(model)
        if not name.endswith(" added") and code(verifier, token) not in ("token.invalid", "token.expired")
    ]

    assert honoured == []


def test_a_refresh_token_opens_nothing(field: Field) -> None:
    _, caller = field.token(ALICE)
    assert code(field.verifier(), caller.tokens["refresh_token"]) == "token.invalid"


def test_a_token_is_refused_from_the_very_second_of_its_exp(field: Field) -> None:
    verifier, (text, _) = field.verifier(trusts_when_blind=True), field.token(DAVE)
    assert code(verifier, text) == "ok"
    ends = claims(text)["exp"]
    with time_machine.travel(ends - 1, tick=False):
        assert code(verifier, text) == "ok"
    with time_machine.travel(ends, tick=False):
        assert code(verifier, text) == "token.expired"
    with time_machine.travel(ends + 3600, tick=False):
        assert code(verifier, text) == "token.expired"


def log_out(_field: Field, dave: Any) -> None:
    dave.post("/v1/auth/logout")


def lose_role(field: Field, _dave: Any) -> None:
    field.stage.as_(ALICE).put(f"/v1/users/{field.stage.user_id(DAVE)}/roles/auditor")


def lose_token(field: Field, dave: Any) -> None:
    with field.stage.database.writing() as connection:
        jti = claims(dave.tokens["access_token"])["jti"]
        revoke(connection, field.stage.settings, "jti", [jti])


@pytest.mark.parametrize("happen", [log_out, lose_role, lose_token])
def test_what_is_taken_back_is_refused_here_soon_and_nobody_else_is(
    field: Field, happen: Callable[[Field, Any], None]
) -> None:
    verifier, (text, dave), (other, _) = field.verifier(), field.token(DAVE), field.token(BOB)
    assert (code(verifier, text), code(verifier, other)) == ("ok", "ok")

    happen(field, dave)

    assert becomes(verifier, text, "token.revoked")
    assert code(verifier, other) == "ok"
    assert code(verifier, field.token(DAVE)[0]) == "ok"


def test_a_new_key_is_good_here_at_once_and_a_withdrawn_one_soon_bad(field: Field) -> None:
    verifier, (old, alice) = field.verifier(), field.token(ALICE)
    assert code(verifier, old) == "ok"
    for _ in range(3):
        alice.post("/v1/keys/rotate", json={"emergency": True})
        assert code(verifier, field.token(BOB)[0]) == "ok"
        assert code(verifier, old) == "ok"
    alice.tokens = refresh(field.stage, alice.tokens["refresh_token"]).json

    alice.delete(f"/v1/keys/{Model(old, None).header['kid']}")

    assert becomes(verifier, old, "token.invalid")
    assert code(verifier, alice.tokens["access_token"]) == "ok"


def test_a_feed_of_several_answers_is_read_to_its_end(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_service, "MAX_ENTRIES", 2)
    text, dave = field.token(DAVE)
    with field.stage.database.writing() as connection:
        revoke(connection, field.stage.settings, "jti", map(str, range(7)))
    dave.post("/v1/auth/logout")
    assert code(field.verifier(), text) == "token.revoked"


def test_cut_off_it_knows_for_a_while_then_refuses_and_then_sees_again(field: Field) -> None:
    verifier, (text, _) = field.verifier(), field.token(DAVE)
    trusting = field.verifier(trusts_when_blind=True)
    assert (code(verifier, text), code(trusting, text)) == ("ok", "ok")
    field.line.cut = True
    assert code(verifier, text) == "ok"
    with time_machine.travel(clock.epoch_seconds() + BOUND + 1, tick=True):
        assert becomes(verifier, text, "service.unavailable")
        assert code(trusting, text) == "ok"
        field.line.cut = False
        assert becomes(verifier, text, "ok")


def test_one_that_begins_cut_off_knows_nobody(field: Field) -> None:
    field.line.cut = True
    text, _ = field.token(DAVE)
    answer = runpy.run_path(str(EXAMPLE))["create_app"](field.verifier()).test_client().get(
        "/orders", headers={"Authorization": f"Bearer {text}"}
    )  # fmt: skip
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "WWW-Authenticate" not in answer.headers


def test_names_of_keys_that_nobody_has_do_not_make_it_ask_and_ask(field: Field) -> None:
    verifier, (text, _) = field.verifier(), field.token(ALICE)
    model = Model(text, field.stage.guard.keyring.active())
    assert code(verifier, text) == "ok"
    began, asked = clock.monotonic(), field.line.asked.count(keys.PATH)
    told = {code(verifier, model.with_header(kid=f"{number:043d}")) for number in range(50)}
    fetched = field.line.asked.count(keys.PATH) - asked

    assert fetched <= keys.BURST + (clock.monotonic() - began) / keys.APART
    assert told <= {"token.invalid", "service.unavailable"}
    assert code(verifier, text) == "ok"


def test_everything_is_read_again_now_and_then(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revoked, "FULL_READ_SECONDS", 0.0)
    monkeypatch.setattr(module, "KEYS_SECONDS", 0.0)
    verifier, (text, _) = field.verifier(), field.token(DAVE)
    assert code(verifier, text) == "ok"
    verifier._feed.known.users["gone"] = 9
    assert eventually(lambda: "gone" not in verifier._feed.known.users)
    assert eventually(lambda: field.line.asked.count(keys.PATH) > 1)


def test_after_a_fork_each_process_follows_for_itself(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    verifier, (text, _) = field.verifier(), field.token(DAVE)
    assert code(verifier, text) == "ok"
    assert verifier._follower
    first = verifier._follower[1]
    verifier._follower = (-1, first)
    assert code(verifier, text) == "ok"
    assert verifier._follower[1] is not first
    verifier.close()
    first.join(PATIENCE)
    assert not first.is_alive()


def test_of_many_first_requests_one_begins_to_follow(field: Field) -> None:
    verifier = field.verifier()
    with verifier._starting:
        crowd = [threading.Thread(target=verifier._start) for _ in range(3)]
        for each in crowd:
            each.start()
        time.sleep(0.05)
    for each in crowd:
        each.join()
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("rbac-verifier") == 1


@pytest.mark.parametrize(
    ("issuer", "audience", "options"),
    [
        ("", "rbac-api", {}),
        ("https://rbac.example", "", {}),
        ("https://rbac.example", 'a"b', {}),
        ("ftp://rbac.example", "rbac-api", {}),
        ("https://", "rbac-api", {}),
        ("https://rbac.example?x", "rbac-api", {}),
        ("https://rbac.example", "rbac-api", {"poll_seconds": 20}),
        ("https://rbac.example", "rbac-api", {"poll_seconds": 0}),
    ],
)
def test_a_verifier_that_would_be_of_no_use_is_not_made(
    issuer: str, audience: str, options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"verifier|service|bound_seconds"):
        Verifier(issuer, audience, **options)


@pytest.mark.outside
def test_it_brings_neither_database_nor_server_along() -> None:
    asks = "import sys, rbac_api.verifier; print(*(m for m in sys.modules if m.startswith('rbac_api') or m == 'sqlalchemy'))"
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["rbac_api", "rbac_api.verifier"]


@pytest.mark.outside
def test_its_core_needs_no_framework() -> None:
    asks = "import sys, rbac_verifier; print({'rbac_api', 'flask', 'starlette'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_what_is_not_there_is_said_so() -> None:
    import rbac_api

    with suppress(AttributeError):
        assert not rbac_api.nothing  # type: ignore[attr-defined]
    assert rbac_api.Settings.__name__ == "Settings"


def test_an_unexpected_error_does_not_end_the_thread_that_follows(
    field: Field, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    verifier, (text, _) = field.verifier(), field.token(DAVE)
    assert code(verifier, text) == "ok"
    right, calls = verifier._follow, iter([MemoryError("unexpected")])

    def follow() -> None:
        for fault in calls:
            raise fault
        right()

    tried = verifier._tried
    monkeypatch.setattr(verifier, "_follow", follow)

    assert eventually(lambda: "the service cannot be followed" in caplog.text)
    assert eventually(lambda: verifier._tried > tried)
    assert code(verifier, text) == "ok"
