"""A refresh racing whatever ends the session: once the ending has been answered, nothing of that session lives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from werkzeug.test import TestResponse

from rbac_api.capabilities.signin import service as signin
from tests.builders import Caller, Stage
from tests.capabilities.signin.crowd import answers_to, refresh
from tests.capabilities.signin.naive import naive_refresh
from tests.cast import ALICE, DAVE, NEW_PASSWORD, PASSWORD
from tests.patience import PATIENCE
from tests.sizes import sized

ROUNDS = sized(3, 1000)
Tokens = dict[str, Any]


def signs_out(_stage: Stage, dave: Caller) -> TestResponse:
    return dave.post("/v1/auth/logout")


def is_revoked(stage: Stage, dave: Caller) -> TestResponse:
    return stage.as_(ALICE).delete(f"/v1/sessions/{dave.tokens['session_id']}")


def is_disabled(stage: Stage, _dave: Caller) -> TestResponse:
    alice, address = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}"
    disabled = alice.patch_now(address, {"status": "disabled"})
    return disabled if disabled.status_code != 200 else alice.patch_now(address, {"status": "active"})


def changes_the_password_elsewhere(stage: Stage, _dave: Caller) -> TestResponse:
    other = stage.as_(DAVE)
    other.post("/v1/me/password", json={"current_password": PASSWORD, "new_password": NEW_PASSWORD})
    body = {"current_password": NEW_PASSWORD, "new_password": PASSWORD}
    return other.post("/v1/me/password", json=body)


ENDINGS: dict[str, Callable[[Stage, Caller], TestResponse]] = {
    "signs out": signs_out,
    "is revoked": is_revoked,
    "is disabled": is_disabled,
    "changes his password elsewhere": changes_the_password_elsewhere,
}


def chase(stage: Stage, first: Tokens, ended: threading.Event) -> list[Tokens]:
    """Refresh again and again until refused, or until it has gone on for five more after the end: every pair received."""
    held, late = [first], 0
    while late < 5:
        late += ended.is_set()
        answer = refresh(stage, held[-1]["refresh_token"])
        if answer.status_code != 200:
            break
        held.append(answer.json)
    return held


def survivors(nodes: list[Stage], end: Callable[[Stage, Caller], TestResponse]) -> list[tuple[int, int]]:
    """What the newest pairs of Dave's session get after he chased an ending: anything but 401 lives."""
    dave, ended = nodes[0].as_(DAVE), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        chasing = pool.submit(chase, nodes[-1], dave.tokens, ended)
        try:
            answer = end(nodes[0], dave)
        finally:
            ended.set()
        held = chasing.result()
    assert answer.status_code in (200, 204), answer.json
    found = [answers_to(node, tokens) for tokens in held[-3:] for node in nodes]
    return [statuses for statuses in found if statuses != (401, 401)]


@pytest.mark.soak
@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
def test_nothing_lives_on_when_dave_refreshes_while_he(
    stage: Stage, nodes: list[Stage], end: Callable[[Stage, Caller], TestResponse]
) -> None:
    for _ in range(ROUNDS):
        assert survivors(nodes, end) == []
    assert stage.query(
        "SELECT count(*) FROM sessions WHERE ended_at IS NULL AND generation > 1 AND user_id = ?",
        stage.query("SELECT id FROM users WHERE username = 'dave'")[0][0],
    ) == [(0,)]


def test_a_naive_rotation_revives_the_session_so_the_test_above_would_notice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, ended = threading.Event(), threading.Event()

    def meanwhile() -> None:
        read.set()
        assert ended.wait(PATIENCE)

    def signs_out_in_between(stage: Stage, dave: Caller) -> TestResponse:
        assert read.wait(PATIENCE)
        answer = signs_out(stage, dave)
        ended.set()
        return answer

    monkeypatch.setattr(signin, "refresh", partial(naive_refresh, meanwhile=meanwhile))

    assert survivors([stage], signs_out_in_between)
