"""On PostgreSQL a refresh holds no lock between reading and writing: whatever was done meanwhile, elsewhere, counts."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from types import CodeType
from typing import Any

import pytest
from sqlalchemy import event, insert, text, update
from werkzeug.test import TestResponse

from rbac_api import clock
from rbac_api.capabilities.audit.service import verify_trail
from rbac_api.capabilities.sessions import queries_rotation as queries
from rbac_api.capabilities.sessions.service import Termination, close_session
from rbac_api.capabilities.signin import tokens as signing_tokens
from rbac_api.database.tables import refresh_tokens, sessions
from rbac_api.guard.tokens.queries import find_key_use
from rbac_api.guard.tokens.signing import Use
from tests.builders import Caller, Stage, another_node
from tests.capabilities.signin.crowd import answers_to, claims, end_of, lineage, refresh
from tests.capabilities.signin.test_refresh_against_revocation import ENDINGS, signs_out
from tests.cast import ALICE, DAVE
from tests.patience import PATIENCE, eventually, without_looks

pytestmark = pytest.mark.outside

_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND starts_with(query, 'WITH unchanged')"


@pytest.fixture
def served(stages: Any) -> Stage:
    """The application on PostgreSQL."""
    stage: Stage = stages.get("postgresql")
    stage.reset()
    return stage


def interrupted(
    monkeypatch: pytest.MonkeyPatch, stage: Stage, token: str, meanwhile: Callable[[], object]
) -> TestResponse:
    """Refresh; after the rows were read and the tokens were signed, and before anything is written, something else is done."""
    signed, reached = signing_tokens.issue_tokens, threading.Event()

    def paused(*given: Any) -> Any:
        tokens = signed(*given)
        if not reached.is_set():
            reached.set()
            with ThreadPoolExecutor(1) as other:
                other.submit(meanwhile).result(PATIENCE)
        return tokens

    monkeypatch.setattr(signing_tokens, "issue_tokens", paused)
    answer = refresh(stage, token)
    monkeypatch.setattr(signing_tokens, "issue_tokens", signed)
    assert reached.is_set()
    return answer


def careless(connection: Any, values: dict[str, Any]) -> bool:
    """The vulnerable twin of ``queries.rotate_without_lock``: it writes without a condition."""
    given, at = values["belongs_to"], values["now"]
    connection.execute(
        update(sessions).where(sessions.c.id == given).values(generation=values["next_generation"])
    )
    connection.execute(
        update(refresh_tokens)
        .where(refresh_tokens.c.jti == values["presented"])
        .values(spent_at=at, replaced_by=values["successor"])
    )
    row = {
        "jti": values["successor"], "session_id": given, "generation": values["next_generation"], "issued_at": at,
        "expires_at": values["ends"],
    }  # fmt: skip
    connection.execute(insert(refresh_tokens).values(row))
    return True


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
def test_an_ending_that_was_answered_meanwhile_beats_the_refresh(
    served: Stage, monkeypatch: pytest.MonkeyPatch, end: Callable[[Stage, Caller], TestResponse]
) -> None:
    dave = served.as_(DAVE)
    with another_node(served) as other:
        answer = interrupted(monkeypatch, other, dave.tokens["refresh_token"], lambda: end(served, dave))

    assert answer.status_code == 401
    assert end_of(served, dave.tokens["session_id"]) is not None
    assert lineage(served, dave.tokens["session_id"]) == [(1, False)]


def test_without_its_conditions_the_write_would_answer_after_the_end(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    dave = served.as_(DAVE)
    monkeypatch.setattr(queries, "rotate_without_lock", careless)

    answer = interrupted(monkeypatch, served, dave.tokens["refresh_token"], lambda: signs_out(served, dave))

    assert answer.status_code == 200


def takes_a_role_away(stage: Stage) -> TestResponse:
    return stage.as_(ALICE).delete(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor")


def holds_a_role(stage: Stage) -> Caller:
    assert stage.as_(ALICE).put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor").status_code in (200, 201)
    return stage.as_(DAVE)


def test_a_role_that_was_taken_away_meanwhile_is_not_in_the_new_token(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    dave = holds_a_role(served)
    with another_node(served) as other:
        answer = interrupted(
            monkeypatch, other, dave.tokens["refresh_token"], lambda: takes_a_role_away(served)
        )

    assert answer.status_code == 200
    assert "auditor" in claims(dave.tokens["access_token"])["roles"]
    assert "auditor" not in claims(answer.json["access_token"])["roles"]
    assert answers_to(served, answer.json) == (200, 200)


def test_without_its_conditions_the_new_token_would_name_it(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    dave = holds_a_role(served)
    monkeypatch.setattr(queries, "rotate_without_lock", careless)

    answer = interrupted(monkeypatch, served, dave.tokens["refresh_token"], lambda: takes_a_role_away(served))

    assert "auditor" in claims(answer.json["access_token"])["roles"]


def test_another_tab_that_was_quicker_has_the_same_successor(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, first = served.as_(DAVE).tokens, []
    answer = interrupted(
        monkeypatch,
        served,
        tokens["refresh_token"],
        lambda: first.append(refresh(served, tokens["refresh_token"])),
    )

    given = {claims(each.json["refresh_token"])["jti"] for each in (answer, *first)}
    assert len(given) == 1
    assert lineage(served, tokens["session_id"]) == [(1, True), (2, False)]
    assert len(served.events("token.rotated")) == 1


def test_a_refresh_takes_three_statements(served: Stage) -> None:
    tokens, found = refresh(served, served.as_(DAVE).tokens["refresh_token"]).json, []
    here = threading.get_ident()

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if threading.get_ident() == here:
            found.append(statement)

    event.listen(served.database.engine, "before_cursor_execute", note)
    try:
        tokens = refresh(served, tokens["refresh_token"]).json
        again = refresh(served, tokens["refresh_token"])
    finally:
        event.remove(served.database.engine, "before_cursor_execute", note)

    assert again.status_code == 200
    # Twice.  Once a second the use of the key is recorded too, and after each commit of a writer the tail of the trail is read.
    assert len([one for one in without_looks("postgresql", found) if "key_uses" not in one]) == 2 * 3, found


def test_roles_that_are_forgotten_meanwhile_are_read_under_the_lock(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, usual = served.as_(DAVE).tokens, signing_tokens._is_usual

    def forgetful(presented: Any) -> bool:
        served.guard.snapshot.forget()
        return usual(presented)

    monkeypatch.setattr(signing_tokens, "_is_usual", forgetful)

    assert refresh(served, tokens["refresh_token"]).status_code == 200
    assert lineage(served, tokens["session_id"]) == [(1, True), (2, False)]


def test_a_role_that_changes_meanwhile_is_read_under_the_lock(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    dave, alice = holds_a_role(served), served.as_(ALICE)
    served.guard.snapshot.graph()
    alice.post("/v1/roles", json={"name": "clerk"})
    monkeypatch.setattr(served.guard.snapshot.gate, "unchanged", lambda: True)  # the news is late

    assert refresh(served, dave.tokens["refresh_token"]).status_code == 200
    assert "clerk" in served.guard.snapshot.graph().roles


def due(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    """It is time for the next signing key."""
    moment = clock.now() + timedelta(seconds=1)
    monkeypatch.setattr(stage.guard.snapshot.keyring, "rotation_begins", lambda _: moment)


def test_a_signing_key_that_is_due_is_made_under_the_lock(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = served.as_(DAVE).tokens
    due(monkeypatch, served)

    assert refresh(served, tokens["refresh_token"]).status_code == 200
    assert lineage(served, tokens["session_id"]) == [(1, True), (2, False)]
    assert len(served.events("key.rotated")) == 1
    assert verify_trail(served.database, {}).problem is None


def test_without_that_look_the_event_of_the_key_would_be_refused(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vulnerable twin, which the recorder stops: linking an event without the lock would fork the chain."""
    tokens = served.as_(DAVE).tokens
    due(monkeypatch, served)
    monkeypatch.setattr(signing_tokens, "is_writer", lambda _: True)

    body = {"refresh_token": tokens["refresh_token"]}
    assert served.caller().client.post("/v1/auth/refresh", json=body).status_code == 500
    assert served.events("key.rotated") == []


def held_up(stage: Stage, token: str, change: Callable[[Any], object]) -> TestResponse:
    """Refresh while a transaction has changed something and has not committed yet."""
    with ThreadPoolExecutor(1) as pool:
        with stage.database.writing() as connection:
            change(connection)
            refreshing: Future[TestResponse] = pool.submit(refresh, stage, token)
            assert eventually(lambda: stage.query(_BLOCKED) == [(1,)])
        return refreshing.result(PATIENCE)


def test_a_refresh_waits_for_an_ending_that_is_not_committed_yet(served: Stage) -> None:
    tokens = served.as_(DAVE).tokens

    def end(connection: Any) -> None:
        close_session(connection, served.settings, tokens["session_id"], Termination(None, "admin"))

    assert held_up(served, tokens["refresh_token"], end).status_code == 401
    assert served.events("token.rotated") == []


def test_a_refresh_waits_for_a_change_of_the_user_that_is_not_committed_yet(served: Stage) -> None:
    tokens = served.as_(DAVE).tokens

    def outdate(connection: Any) -> None:
        raised = "UPDATE users SET authorization_version = authorization_version + 1 WHERE username = 'dave'"
        connection.execute(text(raised))

    answer = held_up(served, tokens["refresh_token"], outdate)

    assert answer.status_code == 200
    assert claims(answer.json["access_token"])["av"] == claims(tokens["access_token"])["av"] + 1


def test_requests_that_wait_while_the_use_of_a_key_is_recorded_do_not_record_it_again(served: Stage) -> None:
    served.as_(DAVE)
    ring, now = served.guard.snapshot.keyring, clock.now()
    later = now + timedelta(days=60)  # than anything recorded so far
    key, use = ring.active(), Use(now, later, later)

    def record() -> list[str]:
        found: list[str] = []
        with served.database.autocommit() as connection:
            event.listen(connection, "before_cursor_execute", lambda *given: found.append(given[2]))
            ring.note_use(connection, key, use)
        return found

    assert len(record()) == 2  # reads the row, and writes it
    with served.database.reading() as connection:
        row = find_key_use(connection, key.kid)
    ring._used.clear()
    with ThreadPoolExecutor(1) as pool:
        with ring._noting:
            waiting = pool.submit(record)
            assert eventually(lambda: ring.note_use.__func__.__code__ in places_of_threads())
            ring._used[key.kid] = row
        assert waiting.result(PATIENCE) == []


def places_of_threads() -> set[CodeType]:
    """Where each thread is now."""
    return {frame.f_code for frame in sys._current_frames().values()}
