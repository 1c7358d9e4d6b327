"""What the recorder refuses to write: actions nobody declared, secrets, columns nobody classified."""

from __future__ import annotations

import pytest

from rbac_api.capabilities.audit.service import verify_trail
from rbac_api.trail.fields import COLUMNS, changes, tracked, unclassified
from rbac_api.trail.recorder import OPERATOR, Event, Target, record, record_events
from tests.builders import Stage


def test_an_action_outside_the_catalogue_is_not_written(stage: Stage) -> None:
    with stage.database.writing() as connection, pytest.raises(KeyError):
        record(connection, OPERATOR, "user.promoted", Target("user"))


def test_an_event_is_not_linked_without_the_write_lock(stage: Stage) -> None:
    before = stage.events()

    with stage.database.reading() as connection, pytest.raises(RuntimeError, match="holds the write lock"):
        record(connection, OPERATOR, "user.updated", Target("user"))

    assert stage.events() == before


@pytest.mark.parametrize(
    "facts", [{"password_hash": "x"}, {"users": [{"refresh_token": "x"}]}, {"a": {"b": {"token": 1}}}]
)
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_secret_is_not_written_however_deep_it_lies(
    stage: Stage, side: str, facts: dict[str, object]
) -> None:
    with stage.database.writing() as connection, pytest.raises(ValueError, match="would record a secret"):
        record(connection, OPERATOR, "user.updated", Target("user"), **{side: facts})  # type: ignore[arg-type]


def test_many_events_at_once_are_what_one_by_one_they_would_be(stage: Stage) -> None:
    with stage.database.writing() as connection:
        record_events(connection, OPERATOR, [])
        happened = [
            Event("assignment.created", Target("user", str(number), "dave"), "moved", after={"role": "clerk"})
            for number in range(3)
        ]
        record_events(connection, OPERATOR, happened)
        record(
            connection,
            OPERATOR,
            "assignment.created",
            happened[0].target,
            reason="moved",
            after={"role": "clerk"},
        )

    *many, one = stage.events()[-4:]
    assert [event["target_id"] for event in many] == ["0", "1", "2"]
    own = {"seq", "at", "target_id", "personal", "personal_values", "prev_hash", "hash"}
    for event in many:
        assert {name: event[name] for name in event.keys() - own} == {
            name: one[name] for name in one.keys() - own
        }
    assert verify_trail(stage.database, {}).problem is None


def test_of_many_events_none_with_a_secret_is_written(stage: Stage) -> None:
    happened = [
        Event("assignment.created", Target("user"), after=facts)
        for facts in ({"role": "clerk"}, {"token": "x"})
    ]

    with stage.database.writing() as connection, pytest.raises(ValueError, match="would record a secret"):
        record_events(connection, OPERATOR, happened)


def test_of_daves_row_an_auditor_sees_what_is_tracked_and_nothing_else() -> None:
    row = {"username": "dave", "password_hash": "$2b$…", "version": 3, "status": "active", "unheard_of": 1}

    assert tracked("users", row) == {"username": "dave", "status": "active"}


def test_changes_are_those_that_differ() -> None:
    before = {"username": "dave", "email": None, "status": "active", "version": 1}

    assert changes("users", before, {**before, "email": "d@x.example", "version": 2}) == (
        {"email": None},
        {"email": "d@x.example"},
    )


def test_every_column_is_classified_and_a_new_one_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unclassified() == []
    monkeypatch.setitem(COLUMNS, "users", {k: v for k, v in COLUMNS["users"].items() if k != "email"})
    monkeypatch.setitem(COLUMNS["roles"], "colour", "track")

    assert unclassified() == ["roles.colour", "users.email"]
