"""Many who hold the same refresh token at the same time: one lineage, and nobody is signed out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial

import pytest
from sqlalchemy import Connection
from time_machine import Traveller

from rbac_api.capabilities.sessions import rotation
from rbac_api.capabilities.signin import service as signin
from rbac_api.capabilities.signin import tokens as signing_tokens
from tests.builders import Stage
from tests.capabilities.signin.crowd import claims, lineage, refresh, together
from tests.capabilities.signin.naive import naive_refresh
from tests.cast import DAVE
from tests.meeting import met
from tests.sizes import sized

CROWD, ROUNDS = 50, sized(2, 1000)


def lineages(nodes: list[Stage]) -> tuple[set[int], set[str]]:
    """Fifty refresh one token of a new session, spread over the nodes: the statuses, and the successors that were given."""
    tokens = nodes[0].as_(DAVE).tokens
    answers = together(CROWD, lambda n: refresh(nodes[n % len(nodes)], tokens["refresh_token"]))
    given = [answer.json["refresh_token"] for answer in answers if answer.status_code == 200]
    return {answer.status_code for answer in answers}, {claims(token)["jti"] for token in given}


@pytest.mark.soak
def test_fifty_tabs_with_one_token_share_one_successor(
    stage: Stage, nodes: list[Stage], frozen: Traveller
) -> None:
    for _ in range(ROUNDS):
        statuses, successors = lineages(nodes)

        assert statuses == {200}
        assert len(successors) == 1
    assert len(stage.events("token.rotated")) == ROUNDS
    beyond = max(0, ROUNDS - stage.settings.max_sessions)  # so many are ended by Dave's next ones
    ended = "SELECT end_reason, count(*) FROM sessions WHERE ended_at IS NOT NULL GROUP BY end_reason"
    assert stage.query(ended) == ([("session-limit", beyond)] if beyond else [])
    assert stage.query("SELECT count(*) FROM refresh_tokens WHERE spent_at IS NULL") == [(ROUNDS,)]


def test_a_naive_rotation_forks_so_the_test_above_would_notice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signin, "refresh", partial(naive_refresh, meanwhile=met(CROWD)))

    assert len(lineages([stage])[1]) == CROWD


@pytest.mark.outside
def test_on_postgresql_the_conditional_write_alone_keeps_one_lineage(
    stages, frozen: Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage: Stage = stages.get("postgresql")
    stage.reset()

    @contextlib.contextmanager
    def without_the_lock() -> Iterator[Connection]:
        with (
            stage.database.engine.connect() as connection,
            connection.execution_options(writer=True, **stage.database.transactional).begin(),
        ):
            yield connection

    monkeypatch.setattr(stage.database, "writing", without_the_lock)
    monkeypatch.setattr(
        signing_tokens, "_refresh_without_lock", lambda *_: None
    )  # which takes no lock anyway
    monkeypatch.setattr(rotation, "record_events", lambda *_: None)  # the trail's order needs the lock

    statuses, successors = lineages([stage])

    assert statuses <= {200, 503}
    assert len(successors) == 1
    assert stage.query("SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL") == [(0,)]


def test_two_tabs_that_go_on_with_what_they_received_are_never_signed_out(
    stage: Stage, frozen: Traveller
) -> None:
    held = [stage.as_(DAVE).tokens] * 2
    for _ in range(25):
        answers = together(2, lambda tab, held=held: refresh(stage, held[tab]["refresh_token"]))

        assert [answer.status_code for answer in answers] == [200, 200]
        held = [answer.json for answer in answers]
    assert lineage(stage, held[0]["session_id"]) == [(n, n < 26) for n in range(1, 27)]
