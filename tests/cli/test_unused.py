"""`rbac-api unused`: what a user, a service account or a role holds and nobody used."""

from __future__ import annotations

import pytest

from tests.builders import Stage
from tests.capabilities.oauth.robot import make_robot
from tests.capabilities.use.scenes import day, used
from tests.cast import BOB, BOBS_PERMISSIONS
from tests.cli.conftest import Shell


def test_what_bob_did_not_use_is_a_table_with_the_window_below(stage: Stage, shell: Shell) -> None:
    used(stage, BOB, *BOBS_PERMISSIONS[2:])
    used(stage, BOB, "users:read", ago=100)
    result = shell("unused", "--user", "bob")

    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["PERMISSION", "VIA", "LAST", "USED"],
        ["users:create", "role-manager", "-"],
        ["users:read", "role-manager", f"{day(100)}T12:00:00Z"],
    ]
    assert result.stderr == f"Not used since {day(90)} (UTC). Uses are recorded since {day(100)}.\n"
    assert "users:read" not in shell("unused", "--user", "bob", "--since", str(day(100))).stdout


def test_a_role_and_a_service_account_have_unused_permissions(stage: Stage, shell: Shell) -> None:
    robot = make_robot(stage, "role-manager")
    stage.guard.runtime.uses.forget()
    role, account = (
        shell.json("unused", *words)
        for words in (("--role", "role-manager"), ("--service-account", robot.name))
    )

    assert role["window"]["recorded_since"] is None
    assert role["granularity"] == account["granularity"] == "day"
    assert {item["permission"] for item in role["items"]} == set(BOBS_PERMISSIONS)
    assert [item["permission"] for item in account["items"]] == sorted(BOBS_PERMISSIONS)
    assert "never: no use is recorded" in shell("unused", "--role", "role-manager").stderr


@pytest.mark.parametrize("words", [(), ("--user", "bob", "--role", "role-manager")])
def test_it_is_about_one_of_the_three(shell: Shell, words: tuple[str, ...]) -> None:
    assert "Give one of --user, --service-account and --role." in shell.refusal("unused", *words, code=2)


def test_an_unknown_name_is_an_error(shell: Shell) -> None:
    assert "no role" in shell.refusal("unused", "--role", "unknown")
