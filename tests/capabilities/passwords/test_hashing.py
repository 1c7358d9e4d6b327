"""Hashing: every byte counts, nothing is held meanwhile, old hashes are made anew, and the queue has an end."""

from __future__ import annotations

import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest

from rbac_api.capabilities.signin import service as signin
from rbac_api.guard.hashing import SCHEME, Hasher
from tests.builders import SECRET, Stage, settings_for
from tests.capabilities.passwords.spy import Spy, hashed, own_hasher, store
from tests.cast import ALICE, DAVE, NEW_PASSWORD, PASSWORD
from tests.meeting import all_before_any
from tests.patience import PATIENCE

LONG = "x" * 71


@pytest.fixture(scope="module")
def hasher() -> Hasher:
    made = Hasher(settings_for("sqlite:////tmp/unused.db"))
    yield made  # type: ignore[misc]
    made.close()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LONG + "a", LONG + "b"), (LONG + "aa", LONG + "ab"), (LONG + "a", LONG + "aa"), ("🔑" * 18, "🔑" * 19), ("abc\0def", "abc\0zzz"),
        ("abc\0def", "abc"), ("é" * 36 + "a", "é" * 36 + "b"), ("A" * 15, "a" * 15), ("secret", "secret "), ("", "\0"),
    ],
)  # fmt: skip
def test_two_passwords_that_differ_anywhere_never_both_fit(hasher: Hasher, one: str, other: str) -> None:
    stored = hasher.hash(one)

    assert hasher.check(one, stored).fits
    assert not hasher.check(other, stored).fits


def test_it_does_not_matter_how_a_keyboard_composes_an_accent(hasher: Hasher) -> None:
    typed = "Müller's grüne Äpfel"

    stored = hasher.hash(unicodedata.normalize("NFD", typed))

    assert hasher.check(unicodedata.normalize("NFC", typed), stored).fits


def test_a_stored_hash_names_its_scheme_and_is_worthless_without_the_instance_secret(hasher: Hasher) -> None:
    stored = hasher.hash(PASSWORD)
    stranger = Hasher(settings_for("sqlite:////tmp/unused.db", secret_key=SECRET[::-1]))

    assert stored.startswith(SCHEME + "$2b$04$")
    assert not stranger.check(PASSWORD, stored).fits
    stranger.close()


@pytest.mark.parametrize(
    "password",
    [
        "🔑🗝🚪🏠🌳🐦" * 4,
        "quartz" + "x" * 67,
        "grüne Äpfel, süße Birnen; " * 9,
        "a passphrase of many words " * 3,
    ],
)
def test_dave_signs_in_with_a_password_of_more_than_72_bytes(stage: Stage, password: str) -> None:
    dave = stage.as_(DAVE)
    assert len(password.encode()) > 72
    body = {"current_password": PASSWORD, "new_password": password}
    assert dave.post("/v1/me/password", json=body).status_code == 204

    shorter = {"username": "dave", "password": password.encode()[:72].decode(errors="ignore")}

    assert stage.as_(DAVE, password).get("/v1/me").status_code == 200
    assert stage.caller().post("/v1/auth/login", json=shorter).status_code == 401


@pytest.mark.parametrize(
    ("password", "statuses"),
    [("x" * 1_000_000, {413}), ("x" * 1025, {422}), ("a\0" * 10, {422}), ("", {422, 204})],
)
def test_what_cannot_be_a_password_costs_no_hash(
    stage: Stage, spy: Spy, password: str, statuses: set[int]
) -> None:
    alice = stage.as_(ALICE)
    before = len(spy.costs)
    answers = [
        stage.caller().post("/v1/auth/login", json={"username": "alice", "password": password}),
        alice.post("/v1/users", json={"username": "eve", "password": password}),
        alice.post("/v1/me/password", json={"current_password": password, "new_password": NEW_PASSWORD}),
        stage.caller().post(
            "/v1/auth/password-setup", json={"token": "rbac-setup-x", "new_password": password}
        ),
    ]

    assert {answer.status_code for answer in answers} <= statuses
    assert spy.costs[before:] == []


def test_a_lone_surrogate_is_refused_before_anything_else(stage: Stage, spy: Spy) -> None:
    body = b'{"username": "alice", "password": "\\ud800 and so on and on"}'

    answer = stage.caller().post("/v1/auth/login", data=body, content_type="application/json")

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/password")
    assert spy.costs == []


def test_no_database_connection_is_held_while_anything_is_hashed(stage: Stage, spy: Spy) -> None:
    alice = stage.as_(ALICE)
    store(stage, "dave", hashed(stage, PASSWORD, cost=5))
    dave = stage.as_(DAVE)
    dave.post("/v1/me/password", json={"current_password": PASSWORD, "new_password": NEW_PASSWORD})
    alice.post("/v1/users", json={"username": "eve", "password": NEW_PASSWORD})
    token = alice.post(f"/v1/users/{stage.user_id('dave')}/password-reset").json["token"]
    stage.caller().post("/v1/auth/password-setup", json={"token": token, "new_password": PASSWORD})
    stage.caller().post("/v1/auth/login", json={"username": "dave", "password": "wrong"})

    assert len(spy.connections) >= 8
    assert set(spy.connections) == {0}


def test_an_old_hash_is_made_anew_when_its_owner_signs_in(stage: Stage) -> None:
    store(stage, "dave", hashed(stage, PASSWORD, cost=5))

    stage.as_(DAVE)

    after = stage.query("SELECT password_hash FROM users WHERE username_canonical = 'dave'")[0][0]
    assert after.startswith("p1$$2b$04$")
    assert stage.as_(DAVE).get("/v1/me").json["password_change_required"] is False


def twelve_devices(stage: Stage) -> list[int]:
    """Dave signs in everywhere at once, for the first time since the cost was changed."""
    store(stage, "dave", hashed(stage, PASSWORD, cost=5))
    start = threading.Barrier(12)

    def sign_in(_: int) -> int:
        start.wait()
        return (
            stage.app.test_client()
            .post("/v1/auth/login", json={"username": "dave", "password": PASSWORD})
            .status_code
        )

    with ThreadPoolExecutor(12) as crowd:
        return list(crowd.map(sign_in, range(12)))


def test_twelve_of_daves_devices_sign_in_while_his_old_hash_is_made_anew(stage: Stage) -> None:
    assert [twelve_devices(stage) for _ in range(3)] == [[200] * 12] * 3


def test_a_sign_in_that_does_not_look_twice_would_turn_some_away(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signin, "TRIES", 1)
    monkeypatch.setattr(signin, "_verify_password", all_before_any(signin._verify_password, 12))

    assert 401 in twelve_devices(stage)


def test_a_full_queue_says_when_to_come_back_and_keeps_nobody_else_waiting(stage: Stage, spy: Spy) -> None:
    alice = stage.as_(ALICE)
    go, entered = threading.Event(), threading.Semaphore(0)
    spy.before = lambda: (entered.release(), go.wait(PATIENCE))

    def sign_in() -> int:
        return (
            stage.app.test_client()
            .post("/v1/auth/login", json={"username": "dave", "password": PASSWORD})
            .status_code
        )

    with ThreadPoolExecutor(2) as crowd:
        go.set()
        with own_hasher(stage, hashers=1, signin_queue=1) as hasher:
            go.clear()
            waiting = [crowd.submit(sign_in) for _ in range(2)]
            assert entered.acquire(timeout=PATIENCE)
            while hasher._places._value:  # until the second stands in the queue
                threading.Event().wait(0.005)
            answer = stage.caller().post("/v1/auth/login", json={"username": "bob", "password": PASSWORD})
            meanwhile = alice.get("/v1/me").status_code
            go.set()
            statuses = [one.result() for one in waiting]

    assert (answer.status_code, answer.json["code"], answer.headers["Retry-After"]) == (
        503,
        "signin.busy",
        "2",
    )
    assert (meanwhile, statuses) == (200, [200, 200])
