"""The five minutes of a stranger, as real HTTP against the service as `make run` starts it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.stranger import ROLE, Stranger
from tests.servers.places import server_folder
from tests.servers.service import APP, Service

pytestmark = pytest.mark.outside

TOLD = {
    "first-sign-in": ["signin.succeeded"],
    "too-early": ["access.refused"],
    "own-password": ["password.changed"],
    "new-role": ["role.created"],
    "give-role": ["assignment.created"],
    "reset": ["password.reset"],
    "setup": ["password.set"],
    "her-sign-in": ["signin.succeeded"],
    "refused": ["access.refused"],
    "revoke": ["session.ended"],
}


@pytest.fixture
def service() -> Iterator[Service]:
    """With nothing set but the port and, to be quicker, the price of a password."""
    found = Service(server_folder("stranger"), {"RBAC_PASSWORD_COST": "10"}, measured=True)
    found.start()
    yield found
    found.terminate()
    found.end()


def test_a_stranger_does_the_main_job_and_finds_every_step_in_the_trail(service: Service) -> None:
    stranger = Stranger(service)
    stranger.becomes_administrator()
    stranger.gives_a_role()
    stranger.lets_her_choose_a_password()
    stranger.signs_her_in()
    her_token = stranger.hers["access_token"]

    allowed = stranger.does("allowed", "GET", "/v1/users", token=her_token)
    refused = stranger.does("refused", "POST", "/v1/roles", {"name": "sly"}, token=her_token)
    stranger.revokes_her_session()
    gone = stranger.does("gone", "GET", "/v1/users", token=her_token)
    renewed = stranger.does("renewed", "POST", "/v1/auth/refresh", token=stranger.hers["refresh_token"])

    assert (allowed.status, refused.status, refused.json["required"]) == (200, 403, "roles:create")
    assert (gone.status, gone.json["code"], renewed.status) == (401, "token.revoked", 401)
    assert ROLE in stranger.does("who", "GET", f"/v1/users/{stranger.her_id}/roles").body.decode()
    found = stranger.finds()
    assert {step: found.get(step) for step in TOLD} == TOLD


def test_make_run_starts_exactly_this_once_everything_is_installed() -> None:
    """A dry run, since a real one would make the environment anew if another Python were first on the PATH."""
    command = ["make", "--dry-run", "--silent", "-o", ".venv/.run-installed", "run"]
    done = subprocess.run(command, cwd=APP.parent, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "exec .venv/bin/python app.py"
    assert Path(APP).is_file()
