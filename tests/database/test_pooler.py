"""Behind a pooler in transaction mode nobody is served; a node that came to be there all the same never answers from older memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from flask import Flask

from rbac_api.database import freshness
from rbac_api.database.freshness import LEASE_SECONDS
from rbac_api.factory import close_app, create_app
from tests.builders import Caller, Stage
from tests.cast import ALICE, DAVE
from tests.conftest import Stages
from tests.patience import PATIENCE
from tests.servers.pooler import TransactionPooler
from tests.sizes import sized

pytestmark = pytest.mark.outside

ROUNDS = sized(10, 500)


@pytest.fixture
def stage(stages: Stages) -> Stage:
    found = stages.get("postgresql")
    found.reset()
    return found


@pytest.fixture
def pooler(stage: Stage) -> Iterator[TransactionPooler]:
    found = TransactionPooler(stage.settings.database_url)
    yield found
    found.close()


@contextmanager
def behind(pooler: TransactionPooler, stage: Stage) -> Iterator[Flask]:
    """A node that came to be behind the pooler without a look at the ground."""
    app = create_app(replace(stage.settings, database_url=pooler.url), check_database=False)
    yield app
    close_app(app)


@pytest.mark.soak
def test_a_revoked_role_is_never_honoured_behind_a_pooler(stage: Stage, pooler: TransactionPooler) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    edge = f"/v1/users/{stage.user_id(DAVE)}/roles/auditor"

    with behind(pooler, stage) as app:
        for _ in range(ROUNDS):
            alice.put(edge)
            before, revoked, after = status(app, dave), alice.delete(edge).status_code, status(app, dave)
            assert (before in (200, 503), revoked, after in (403, 503)) == (True, 204, True)


def status(app: Flask, caller: Caller) -> int:
    return app.test_client().get("/v1/audit/events?limit=1", headers=caller.headers).status_code


def had_a_lease(app: Flask, caller: Caller, patience: float) -> bool:
    """Whether the node would for some time have answered from memory alone, without a look at the database."""
    gate, deadline = app.extensions["rbac-api"].snapshot.gate, time.monotonic() + patience
    while time.monotonic() < deadline:
        status(app, caller)
        if gate.unchanged():
            return True
    return False


def test_behind_a_pooler_a_node_never_has_a_lease(stage: Stage, pooler: TransactionPooler) -> None:
    with behind(pooler, stage) as app:
        assert not had_a_lease(app, stage.as_(DAVE), 3 * LEASE_SECONDS)


def test_one_that_takes_its_connection_for_a_session_has_one(
    stage: Stage, pooler: TransactionPooler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "keeps_its_session", lambda *_: True)

    with behind(pooler, stage) as app:
        assert had_a_lease(app, stage.as_(DAVE), PATIENCE)
