"""A second worker: another application on the database of the stage, with a memory of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rbac_api import clock, requires
from rbac_api.database import freshness
from tests.builders import Stage, another_node
from tests.database.wire import Wire
from tests.patience import Leaping


@contextmanager
def another_worker(stage: Stage, **changes: Any) -> Iterator[Stage]:
    door = requires("users:read")(lambda: "come in")  # reads nothing of its own
    with another_node(stage, **changes) as worker:
        worker.app.add_url_rule("/door", view_func=door)
        yield worker


@pytest.fixture
def other(stage: Stage) -> Iterator[Stage]:
    """The second worker."""
    with another_worker(stage) as worker:
        yield worker


@pytest.fixture
def troupe(stages: Any) -> Stage:
    """The stage on PostgreSQL alone, for what only that engine has."""
    found: Stage = stages.get("postgresql")
    found.reset()
    return found


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> float:
    """Leases and heartbeats so short that a test need not wait for them long."""
    monkeypatch.setattr(freshness, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(freshness, "HEARTBEAT_SECONDS", 0.2)
    return 1.0


BURIAL = """DELETE FROM followers f WHERE NOT EXISTS
    (SELECT 1 FROM pg_stat_activity a WHERE a.application_name LIKE 'rbac-follower:' || f.name || ':%%')"""


@pytest.fixture
def long_lease(troupe: Stage, monkeypatch: pytest.MonkeyPatch) -> float:
    """Leases so long that nothing on a busy machine takes as long, with the same heartbeat: for a clock that leaps.

    So nobody may be waited for who died in a test before.
    """
    troupe.execute(BURIAL)
    monkeypatch.setattr(freshness, "LEASE_SECONDS", 60.0)
    monkeypatch.setattr(freshness, "HEARTBEAT_SECONDS", 0.2)
    return 60.0


@pytest.fixture
def leaping(monkeypatch: pytest.MonkeyPatch) -> Leaping:
    """The service's monotonic clock, which leaps when the test says so."""
    found = Leaping()
    monkeypatch.setattr(clock, "monotonic", found)
    return found


@pytest.fixture
def wire(troupe: Stage) -> Iterator[Wire]:
    found = Wire(troupe.settings.database_url)
    yield found
    found.close()
