"""Events that wait: on PostgreSQL a refresh does not queue behind the write lock, and its event is linked soon, once, in order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from rbac_api.capabilities.audit.service import verify_trail
from rbac_api.capabilities.sessions.service import Termination, close_session
from rbac_api.database.constraints import DatabaseDown
from rbac_api.trail import outbox, recorder, sequencer
from rbac_api.trail.recorder import Actor, Event, Target, TrailUnavailable, prepared_events, record
from rbac_api.trail.sequencer import Sequencer, drain_outbox
from tests.builders import Stage
from tests.capabilities.signin.crowd import refresh, together
from tests.cast import ALICE, CAROL, DAVE
from tests.patience import eventually
from tests.trail.breakage import broken

pytestmark = pytest.mark.outside


@pytest.fixture
def served(stages: Any) -> Stage:
    """The application on PostgreSQL."""
    stage: Stage = stages.get("postgresql")
    stage.reset()
    return stage


@pytest.fixture
def waiting(served: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """The same, whose own sequencer links nothing."""
    monkeypatch.setattr(sequencer, "drain_outbox", lambda _database: None)
    yield served
    monkeypatch.undo()
    drain_outbox(served.database)


def linked(stage: Stage) -> list[tuple[str, str]]:
    """Action and target of what is linked, without linking more."""
    return stage.query("SELECT action, target_id FROM trail_events ORDER BY seq")


def put(stage: Stage, *names: str) -> None:
    """Let events wait, as another worker might have left them."""
    events = [Event("token.rotated", Target("session", name)) for name in names]
    with stage.database.unlocked() as connection:
        for row in prepared_events(Actor("user"), events):
            connection.execute(outbox.trail_outbox.insert().values(row))


def intact(stage: Stage) -> bool:
    return verify_trail(stage.database, {}).problem is None


def test_a_refresh_is_answered_while_another_transaction_holds_the_write_lock(served: Stage) -> None:
    tokens = served.as_(DAVE).tokens
    with served.database.writing():
        answer = refresh(served, tokens["refresh_token"])

    assert answer.status_code == 200


def test_an_event_is_linked_though_nothing_else_is_recorded(served: Stage) -> None:
    dave = served.as_(DAVE)
    refresh(served, dave.tokens["refresh_token"])

    assert eventually(lambda: ("token.rotated", dave.tokens["session_id"]) in linked(served))
    assert served.query("SELECT count(*) FROM trail_outbox") == [(0,)]
    assert intact(served)


def test_the_next_writer_links_what_waits_before_its_own_event(waiting: Stage) -> None:
    alice, dave = waiting.as_(ALICE), waiting.as_(DAVE)
    refresh(waiting, dave.tokens["refresh_token"])
    session = dave.tokens["session_id"]
    assert ("token.rotated", session) not in linked(waiting)

    alice.delete(f"/v1/sessions/{session}")

    assert linked(waiting)[-2:] == [("token.rotated", session), ("session.ended", session)]
    assert intact(waiting)


def test_many_events_at_once_come_after_what_waits(waiting: Stage) -> None:
    put(waiting, "first")
    with waiting.database.writing() as connection:
        recorder.record_events(
            connection, Actor("user"), [recorder.Event("audit.read", Target("trail", "own"))]
        )

    assert linked(waiting)[-2:] == [("token.rotated", "first"), ("audit.read", "own")]
    assert intact(waiting)


def test_what_waits_is_linked_in_order_however_much_it_is(
    waiting: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"n{number}" for number in range(5)]
    put(waiting, *names)
    monkeypatch.setattr(recorder, "_BATCH_SIZE", 2)

    drain_outbox(waiting.database)

    assert [target for action, target in linked(waiting) if action == "token.rotated"] == names
    assert intact(waiting)


def test_a_writer_links_what_waited_and_not_whatever_comes_meanwhile(
    waiting: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would hold the write lock for as long as clients refresh: all others ran into their timeout."""
    usual, looks = recorder.take, 0

    def while_others_refresh(connection: Any, most: int) -> list[dict[str, Any]]:
        nonlocal looks
        looks += 1
        found = usual(connection, most)
        put(waiting, f"after look {looks}")
        return found

    put(waiting, "before")
    monkeypatch.setattr(recorder, "take", while_others_refresh)
    with waiting.database.writing() as connection:
        recorder.link_waiting(connection)

    assert looks == 1
    assert [name for _, name in linked(waiting)[-1:]] == ["before"]
    assert waiting.query("SELECT count(*) FROM trail_outbox") == [(1,)]


def looks_of(stage: Stage, actions: list[str]) -> int:
    """How often one transaction that records these events looks into the outbox."""
    found: list[str] = []
    with stage.database.writing() as connection:
        event.listen(connection, "before_cursor_execute", lambda *given: found.append(given[2]))
        for action in actions:
            record(connection, Actor("user"), action, Target("session", "x"))
    return sum("trail_outbox" in statement for statement in found)


def test_a_transaction_links_once_for_all_its_events_that_are_about_no_session(waiting: Stage) -> None:
    assert looks_of(waiting, ["audit.read"] * 3) == 1
    assert looks_of(waiting, ["audit.read", "session.ended", "audit.read"]) == 2


def refreshed_meanwhile(stage: Stage) -> list[str]:
    """A transaction records something, a refresh is answered, and the transaction ends that session."""
    dave = stage.as_(DAVE)
    with stage.database.writing() as connection:
        record(connection, Actor("user"), "audit.read", Target("trail"))
        assert refresh(stage, dave.tokens["refresh_token"]).status_code == 200
        close_session(connection, stage.settings, dave.tokens["session_id"], Termination(None, "admin"))
        record(connection, Actor("user"), "session.ended", Target("session", dave.tokens["session_id"]))
    drain_outbox(stage.database)
    return [action for action, target in linked(stage) if target == dave.tokens["session_id"]][-2:]


def test_a_refresh_that_came_before_the_end_stands_before_it(waiting: Stage) -> None:
    assert refreshed_meanwhile(waiting) == ["token.rotated", "session.ended"]
    assert intact(waiting)


def test_linking_only_once_would_show_a_refresh_after_the_end(
    waiting: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_ABOUT_SESSIONS", frozenset())

    assert refreshed_meanwhile(waiting) == ["session.ended", "token.rotated"]


def test_a_writer_that_fails_leaves_what_waits_where_it_was(waiting: Stage) -> None:
    put(waiting, "first")
    with pytest.raises(ZeroDivisionError), waiting.database.writing() as connection:
        record(connection, Actor("user"), "audit.read", Target("trail"))
        raise ZeroDivisionError

    assert waiting.query("SELECT count(*) FROM trail_outbox") == [(1,)]
    assert ("token.rotated", "first") not in linked(waiting)


def settle_together(stage: Stage) -> list[str]:
    """Link from many threads at once; what is in the trail of it."""
    put(stage, *(f"n{number}" for number in range(20)))
    together(8, lambda _number: drain_outbox(stage.database))
    return sorted(target for action, target in linked(stage) if action == "token.rotated")


def test_many_who_link_at_once_link_nothing_twice(waiting: Stage) -> None:
    assert settle_together(waiting) == sorted(f"n{number}" for number in range(20))
    assert intact(waiting)


def test_if_linking_left_the_events_in_the_outbox_they_would_be_linked_twice(
    waiting: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = threading.local()

    def copies(connection: Any, _most: int) -> list[dict[str, Any]]:
        if getattr(taken, "done", False):
            return []
        taken.done = True
        fields = [column for column in outbox.trail_outbox.c if column.name != "id"]
        return [dict(row._mapping) for row in connection.execute(outbox.select(*fields))]

    monkeypatch.setattr(recorder, "take", copies)

    assert len(settle_together(waiting)) > 20


def test_what_a_dead_worker_left_is_linked_by_another_one(served: Stage) -> None:
    served.as_(CAROL).get("/v1/me")  # the follower runs
    put(served, "left behind")

    assert eventually(lambda: ("token.rotated", "left behind") in linked(served))
    assert intact(served)


def test_who_reads_the_trail_sees_what_was_acknowledged_before(waiting: Stage) -> None:
    carol, dave = waiting.as_(CAROL), waiting.as_(DAVE)
    refresh(waiting, dave.tokens["refresh_token"])

    (event,) = carol.get("/v1/audit/events?action=token.rotated").json["items"]

    assert event["target"]["id"] == dave.tokens["session_id"]
    assert carol.get(f"/v1/audit/events/{event['seq']}").json == event


def test_a_sequencer_without_its_database_tries_again(served: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = threading.Event()

    def fails(_database: Any) -> None:
        failed.set()
        raise DatabaseDown(internal="gone")

    monkeypatch.setattr(sequencer, "drain_outbox", fails)
    monkeypatch.setattr(sequencer, "RETRY_SECONDS", 0.01)
    own = Sequencer(served.database)
    own.start()
    assert failed.wait(60)
    monkeypatch.undo()
    put(served, "first")

    assert eventually(lambda: ("token.rotated", "first") in linked(served))
    own.close()


def test_a_sequencer_outlives_a_trail_that_cannot_be_written(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    carol, tried = served.as_(CAROL), threading.Event()

    def drains(database: Any) -> None:
        try:
            drain_outbox(database)
        except TrailUnavailable:
            tried.set()
            raise

    monkeypatch.setattr(sequencer, "drain_outbox", drains)
    monkeypatch.setattr(sequencer, "RETRY_SECONDS", 0.01)
    own = Sequencer(served.database)
    with broken(served, "trail_events"):
        put(served, "first")
        own.start()
        assert tried.wait(60)
        assert carol.get("/v1/audit/events").status_code == 503

    assert eventually(lambda: ("token.rotated", "first") in linked(served))
    own.close()


def test_on_sqlite_nothing_ever_waits(stages: Any) -> None:
    stage: Stage = stages.get("sqlite")
    stage.reset()
    refresh(stage, stage.as_(DAVE).tokens["refresh_token"])

    assert stage.query("SELECT count(*) FROM trail_outbox") == [(0,)]
    assert [action for action, _ in linked(stage)][-1] == "token.rotated"
