"""Every column is classified before the service starts, and nothing secret or forgotten gets into the trail."""

import pytest
from sqlalchemy import Column, Table, Text

from rbac_api.database.tables import metadata
from rbac_api.factory import create_app
from rbac_api.settings import SettingsRefused
from rbac_api.trail.fields import COLUMNS, SECRET_NAMES, changes, tracked, unclassified
from tests.builders import Stage


def test_every_column_is_classified() -> None:
    assert unclassified() == []


def test_what_looks_like_a_secret_is_classified_as_one() -> None:
    telling = ("hash", "sealed", "secret", "digest", "private")
    found = {
        f"{table}.{column}"
        for table, columns in COLUMNS.items()
        for column, kind in columns.items()
        if kind != "secret" and any(word in column for word in telling)
    }

    shown = {"sessions.client_secret_id"}  # which secret, not what it is
    assert found == {"trail_events.hash", "trail_events.prev_hash", "policy_changes.hash"} | shown
    assert {"password_hash", "token_hash", "private_sealed", "password", "token"} <= SECRET_NAMES


def test_with_a_column_that_nobody_classified_the_service_does_not_start(stage: Stage) -> None:
    forgotten = Table("forgotten", metadata, Column("diary", Text))
    try:
        with pytest.raises(SettingsRefused) as refusal:
            create_app(stage.settings)
    finally:
        metadata.remove(forgotten)

    assert refusal.value.faults == ["column forgotten.diary is not classified in trail/fields.py"]


def test_only_what_is_tracked_is_recorded_and_of_a_change_only_what_differs() -> None:
    before = {"username": "erin", "email": None, "password_hash": "p1$…", "version": 1, "status": "active"}
    after = {**before, "email": "erin@example.com", "password_hash": "p1$…2", "version": 2}

    assert tracked("users", before) == {"username": "erin", "email": None, "status": "active"}
    assert changes("users", before, after) == ({"email": None}, {"email": "erin@example.com"})
