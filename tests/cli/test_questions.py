"""`can`, `explain` and `who-can`: what the API answers, in a terminal."""

from __future__ import annotations

import json

from rbac_api import clock
from tests.builders import Stage
from tests.capabilities.constraints.rules import give, in_days
from tests.capabilities.oauth.robot import make_robot
from tests.cast import ALICE, CAROL, DAVE
from tests.cli.conftest import Shell

APPROVE, RELEASE = "invoices:approve", "payments:release"


def test_can_says_yes_or_no_and_ends_with_a_code_of_its_own(shell: Shell) -> None:
    yes, no, disabled = (shell("can", user, APPROVE) for user in ("bob", "dave", "mallory"))

    assert (yes.exit_code, yes.stdout) == (0, "yes\n")
    assert (no.exit_code, no.stdout) == (3, f"no: no effective role grants {APPROVE}\n")
    assert (disabled.exit_code, disabled.stdout) == (3, "no: the account is disabled\n")


def test_the_answer_in_json_is_that_of_the_api(stage: Stage, shell: Shell) -> None:
    alice = stage.as_(ALICE)

    for user, code in (("bob", 0), ("dave", 3)):
        asked = alice.get(f"/v1/users/{user}/access?permission={APPROVE}").json
        assert shell.json("can", user, APPROVE, code=code) == asked
        assert shell.json("explain", stage.user_id(user), APPROVE) == asked
        assert json.loads(shell("explain", user, APPROVE, "--as-json").stdout) == asked


def test_a_path_is_told_in_words(stage: Stage, shell: Shell) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk", "permissions": [RELEASE]})
    alice.post("/v1/roles", json={"name": "chief"})
    alice.put("/v1/roles/chief/inherits/clerk")
    until = in_days(9)
    assert give(alice, DAVE, "chief", reason="covers for Jonas", expires_at=until).status_code == 201

    lines = shell("explain", "dave", RELEASE).stdout.splitlines()

    assert lines[0] == "yes"
    assert lines[1].startswith("- chief was assigned by alice at 20")
    assert f' for "covers for Jonas", until {until[:19]}Z; chief inherits clerk; ' in lines[1]
    assert lines[1].endswith(f"; clerk holds {RELEASE}")
    assert "assigned by the system or the command line at" in shell("explain", "bob", APPROVE).stdout


def test_a_refusal_names_the_reasons_and_the_smallest_roles(shell: Shell) -> None:
    lines = shell("explain", "dave", APPROVE).stdout.splitlines()

    assert lines == [
        "no",
        f"- no effective role grants {APPROVE}",
        "It would be granted by: role-manager, admin",
    ]


def test_an_activated_role_and_very_many_paths_are_said(stage: Stage, shell: Shell) -> None:
    alice = stage.as_(ALICE)
    assert give(alice, DAVE, "role-manager", mode="eligible").status_code == 201
    for number in range(101):
        alice.post("/v1/roles", json={"name": f"way-{number}", "permissions": [RELEASE]})
        give(alice, CAROL, f"way-{number}")

    assert "role-manager must first be activated" in shell("explain", "dave", APPROVE).stdout
    lines = shell("explain", "carol", RELEASE).stdout.splitlines()
    assert (len(lines), lines[-1]) == (102, "There are more than listed.")


def test_who_can_lists_accounts_with_the_roles_it_comes_from(stage: Stage, shell: Shell) -> None:
    make_robot(stage, "auditor")
    alice = stage.as_(ALICE)
    before = clock.rfc3339(clock.now())
    give(alice, DAVE, "auditor", mode="eligible")

    lines = shell("who-can", "audit:read").stdout.splitlines()

    assert lines[0].split() == ["USERNAME", "KIND", "VIA", "MODE", "EXPIRES", "AT"]
    assert [line.split()[:3] for line in lines[1:]] == [
        ["alice", "user", "admin"], ["carol", "user", "auditor"], ["invoice-robot", "service_account", "auditor"],
    ]  # fmt: skip
    listed = alice.get("/v1/permissions/audit:read/holders?eligible=true").json["items"]
    assert shell.json("who-can", "audit:read", "--eligible") == listed
    assert len(shell.json("who-can", "audit:read", "--eligible", "--at", before)) == len(listed) - 1


def test_a_service_account_and_the_past_are_asked_alike(stage: Stage, shell: Shell) -> None:
    before = clock.rfc3339(clock.now())
    make_robot(stage, "auditor")
    give(stage.as_(ALICE), DAVE, "auditor")

    assert shell("can", "invoice-robot", "audit:read").stdout == "yes\n"
    assert shell("can", "dave", "audit:read").stdout == "yes\n"
    assert shell("can", "dave", "audit:read", "--at", before).exit_code == 3
    assert "service account invoice-robot at that time" in shell.refusal(
        "can", "invoice-robot", "audit:read", "--at", before
    )


def test_what_is_asked_wrongly_is_a_usage_error_or_says_what_there_is_not(shell: Shell) -> None:
    assert "There is no user or service account nobody." in shell.refusal("can", "nobody", APPROVE)
    assert "permission" in shell.refusal("can", "bob", "invoices:unheard-of")
    assert "Invalid value for 'PERMISSION'" in shell.refusal("can", "bob", "no permission", code=2)
    assert "RFC 3339" in shell.refusal("can", "bob", APPROVE, "--at", "yesterday", code=2)
    assert "Must be in the past." in shell.refusal("who-can", APPROVE, "--at", "2999-01-01T00:00:00Z", code=2)
