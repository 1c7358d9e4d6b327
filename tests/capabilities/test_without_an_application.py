"""Services run without an application: what they need comes with the clearance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from flask import has_app_context, has_request_context

from rbac_api.capabilities.signin.errors import LoginFailed
from rbac_api.capabilities.signin.service import LoginRequest, login, refresh
from rbac_api.capabilities.users.service import create_user
from rbac_api.cli.prepare import operator_unit
from rbac_api.errors import TooManyAttempts
from rbac_api.guard.enforcement.assembly import assemble
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.enforcement.unit_of_work import UnitOfWork
from rbac_api.trail.recorder import Actor
from tests.builders import Stage
from tests.cast import DAVE, PASSWORD

IP, CLIENT = "192.0.2.9", "console"
AGENT = "a job\n"  # as sent: a line feed is not kept


@contextmanager
def anonymous(stage: Stage, **changes: object) -> Iterator[Clearance]:
    """The clearance that a public route would get, made without one."""
    assert not has_app_context()
    assert not has_request_context()
    settings = replace(stage.settings, **changes)  # type: ignore[arg-type]
    runtime, _, _ = assemble(settings, stage.database)
    actor = Actor("anonymous", ip=IP, user_agent=AGENT)
    try:
        with UnitOfWork(stage.database, writes=True) as work:
            yield Clearance(actor, None, (), work, runtime)
    finally:
        runtime.close()


def test_dave_signs_in_and_refreshes(stage: Stage) -> None:
    with anonymous(stage) as clearance:
        begun = login(clearance, LoginRequest(DAVE.username, PASSWORD), CLIENT)
        renewed = refresh(clearance, begun["refresh_token"])

    assert renewed["session_id"] == begun["session_id"]
    assert renewed["refresh_token"] != begun["refresh_token"]
    headers = {"Authorization": f"Bearer {renewed['access_token']}"}
    answer = stage.app.test_client().get("/v1/me", headers=headers)
    assert answer.json is not None
    assert answer.json["username"] == DAVE.username


def test_an_account_refreshes_no_oftener_than_its_limit_allows(stage: Stage) -> None:
    with anonymous(stage, account_limit="1 per year") as clearance:
        begun = login(clearance, LoginRequest(DAVE.username, PASSWORD), CLIENT)
        renewed = refresh(clearance, begun["refresh_token"])
        with pytest.raises(TooManyAttempts):
            refresh(clearance, renewed["refresh_token"])


def test_guessing_opens_an_incident_that_names_where_it_came_from(stage: Stage) -> None:
    with (
        anonymous(stage, signin_free_failures=1, signin_lock_failures=1) as clearance,
        pytest.raises(LoginFailed),
    ):
        login(clearance, LoginRequest(DAVE.username, "not the password of dave"), CLIENT)

    [incident] = stage.query("SELECT type, other_ip, other_user_agent FROM incidents")
    assert tuple(incident) == ("lockout", IP, "a job")


def test_a_user_is_created_with_a_password(stage: Stage) -> None:
    assert not has_app_context()
    with operator_unit(stage.settings, stage.database) as clearance:
        create_user(clearance, {"username": "erin", "password": PASSWORD})

    sent = {"username": "erin", "password": PASSWORD}
    assert stage.caller().post("/v1/auth/login", json=sent).status_code == 200
