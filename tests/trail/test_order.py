"""The order of the trail is the order of commits, so whoever follows it misses nothing while sixteen write at once."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Connection, text

from rbac_api.capabilities.audit.queries import list_onward
from rbac_api.capabilities.audit.service import verify_trail
from rbac_api.database.engine import Database
from rbac_api.database.migrate import upgrade
from rbac_api.trail.feed import GENESIS, MAX_TAIL_LENGTH, START, Delta, Invalidation, Position, read_tail
from rbac_api.trail.recorder import OPERATOR, Actor, Target, record
from tests.builders import Stage, settings_for
from tests.cast import ALICE, CAROL, DAVE

WRITERS, EACH = 16, 8
NAIVE = (
    "DROP TABLE IF EXISTS naive_events", "DROP SEQUENCE IF EXISTS naive_seq",
    "CREATE TABLE naive_events (seq bigint PRIMARY KEY)", "CREATE SEQUENCE naive_seq",
)  # fmt: skip
Write = Callable[[Database, int], None]
Read = Callable[[Connection, int], list[int]]


def write_one(database: Database, number: int) -> None:
    """As every service does, with a pause that lets others run between the event and its commit."""
    with database.writing() as connection:
        record(
            connection,
            Actor("operator", name=f"writer {number}"),
            "role.updated",
            Target("role", str(number)),
        )
        time.sleep(random.random() / 500)


def read_on(connection: Connection, last: int) -> list[int]:
    return [event.seq for event in list_onward(connection, [], last, 7)]


def read_on_naively(database: Database, last: int) -> list[int]:
    query = text("SELECT seq FROM naive_events WHERE seq > :last ORDER BY seq")
    with database.reading() as connection:
        return list(connection.execute(query, {"last": last}).scalars())


class Walker(threading.Thread):
    """Walks on from page to page until it is told that nothing more will come, and nothing more comes."""

    def __init__(self, database: Database, read: Read) -> None:
        super().__init__()
        self.database, self.read = database, read
        self.seen: list[int] = []
        self.done = threading.Event()

    def run(self) -> None:
        finished, more = False, [0]
        while more or not finished:
            finished = self.done.is_set()
            with self.database.reading() as connection:
                more = self.read(connection, self.seen[-1] if self.seen else 0)
            self.seen += more


def follow(database: Database, write: Write, read: Read) -> tuple[list[int], list[int]]:
    """What somebody saw who walked along while sixteen wrote, and what there is in the end."""
    walkers = [Walker(database, read), Walker(database, read)]
    walkers[0].start()
    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(lambda n: [write(database, n) for _ in range(EACH)], range(WRITERS)))
    for walker in walkers:
        walker.done.set()
    walkers[0].join()
    walkers[1].run()
    return walkers[0].seen, walkers[1].seen


def test_carol_following_sixteen_writers_misses_nothing(stage: Stage) -> None:
    seen, present = follow(stage.database, write_one, read_on)

    assert seen == present == list(range(1, present[-1] + 1))
    assert verify_trail(stage.database, {}).problem is None


def test_numbers_from_a_sequence_without_the_lock_would_hide_events_from_her(troupe: Stage) -> None:
    """The vulnerable twin: whoever took the earlier number commits later."""
    database, take = troupe.database, text("INSERT INTO naive_events VALUES (nextval('naive_seq'))")
    troupe.execute(*NAIVE)

    with database.unlocked() as earlier:
        earlier.execute(take)
        with database.unlocked() as later:
            later.execute(take)
        seen = read_on_naively(database, 0)
    seen += read_on_naively(database, seen[-1])

    assert (seen, read_on_naively(database, 0)) == ([2], [1, 2])


def test_carols_pages_hold_every_event_once_while_alice_keeps_writing(stage: Stage) -> None:
    alice, carol = stage.as_(ALICE), stage.as_(CAROL)
    expected = {event["seq"] for event in stage.events()}
    path, walked = "/v1/audit/events?limit=9", []

    while path:
        page = carol.get(path)
        walked += [event["seq"] for event in page.json["items"]]
        alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor")
        alice.delete(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor")
        path = f"/v1/audit/events?limit=9&cursor={page.json['next']}" if page.json["next"] else ""

    assert len(set(walked)) == len(walked)
    assert set(walked) == expected


def mark_of(stage: Stage, seq: int) -> Position:
    return Position(seq, stage.query("SELECT hash FROM trail_events WHERE seq = ?", seq)[0][0])


def test_the_tail_tells_whose_standing_to_forget(stage: Stage) -> None:
    with stage.database.writing() as connection:
        first = record(
            connection, OPERATOR, "user.created", Target("user", "x")
        )  # nobody remembers somebody new
        record(connection, OPERATOR, "assignment.created", Target("user", "dave"))
        record(connection, OPERATOR, "session.ended", Target("session", "s"))
        record(connection, OPERATOR, "role.deleted", Target("role", "clerk"))
        record(connection, OPERATOR, "permission.granted", Target("role", "clerk"))
        last = record(connection, OPERATOR, "key.created", Target("key", "k"))
    before, present = mark_of(stage, first - 1), mark_of(stage, last)
    with stage.database.reading() as connection:
        tail, nothing = read_tail(connection, before), read_tail(connection, present)

    assert (tail.complete, tail.mark, nothing.touches, nothing.mark) == (True, present, (), present)
    assert [touch.kind for touch in tail.touches] == ["user", "session", "roles", "grants", "keys"]
    assert tail.touches[0] == Invalidation("user", "dave")


def test_a_tail_is_not_complete_if_it_is_too_long_or_not_of_the_trail_that_is_remembered(
    stage: Stage,
) -> None:
    newest = stage.events()[-1]["seq"]
    known = mark_of(stage, newest)
    marks = {
        "the first look": START,
        "shorter than remembered": Position(newest + 1, "x"),
        "too long": Position(newest - MAX_TAIL_LENGTH - 1, "x"),
        "another trail of the same length": Position(newest, "x"),
        "another trail that has grown past it": Position(newest - 3, "x"),
    }

    with stage.database.reading() as connection:
        for why, mark in marks.items():
            assert read_tail(connection, mark) == Delta(known, (), complete=False), why


def test_the_first_event_ever_is_a_tail_too(empty_url: str) -> None:
    database = Database(settings_for(empty_url))
    upgrade(database)
    with database.reading() as connection:
        nothing = read_tail(connection, START)
        assert (nothing.mark, read_tail(connection, nothing.mark).complete) == (Position(0, GENESIS), True)
    with database.writing() as connection:
        record(connection, OPERATOR, "role.created", Target("role", "x"))
    with database.reading() as connection:
        assert read_tail(connection, nothing.mark).touches == (Invalidation("roles", "x", "role"),)
    database.dispose()
