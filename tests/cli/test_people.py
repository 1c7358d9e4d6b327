"""`users` and `sessions`: looking and stopping."""

from __future__ import annotations

from pathlib import Path

from tests.builders import Stage
from tests.cast import ALICE, BOB, CAST, DAVE
from tests.cli.conftest import Shell


def test_everybody_is_listed_by_name(shell: Shell) -> None:
    assert [user["username"] for user in shell.json("users", "list")] == [p.username for p in CAST]


def test_a_list_for_people_has_aligned_columns(shell: Shell) -> None:
    lines = shell("users", "list").stdout.splitlines()
    place = lines[0].index("STATUS")
    assert {line[place:].split()[0] for line in lines[1:]} == {"active", "disabled"}


def test_users_are_filtered_by_status_and_role(shell: Shell) -> None:
    assert [u["username"] for u in shell.json("users", "list", "--status", "disabled")] == ["mallory"]
    assert [u["username"] for u in shell.json("users", "list", "--role", "admin")] == ["alice"]
    result = shell("users", "list", "--role", "unheard-of")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Nothing found.\n")


def test_what_cannot_name_a_role_is_a_usage_error_and_no_empty_list(shell: Shell) -> None:
    said = shell.refusal("users", "list", "--role", "no such name!", code=2)
    assert "Invalid value for '--role': " in said


def test_a_list_goes_on_beyond_the_largest_page(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "many.yaml"
    file.write_text("users:\n" + "".join(f"- {{username: person-{n}}}\n" for n in range(401)))
    assert "401 people" in shell("seed", str(file)).stdout
    assert len(shell.json("users", "list")) == 401 + len(CAST)


def test_disabling_ends_sessions_at_once_and_is_recorded(stage: Stage, shell: Shell) -> None:
    bob = stage.as_(BOB)
    assert "is now disabled" in shell("users", "disable", "BOB").stdout
    assert bob.get("/v1/me").status_code == 401
    event = stage.events("user.disabled")[-1]
    assert (event["actor_type"], event["target_name"]) == ("operator", "bob")


def test_disabling_twice_changes_nothing_the_second_time(stage: Stage, shell: Shell) -> None:
    before = len(stage.events("user.disabled"))
    assert shell.json("users", "disable", "mallory")["changed"] is False
    assert len(stage.events("user.disabled")) == before


def test_the_last_administrator_cannot_be_disabled(stage: Stage, shell: Shell) -> None:
    assert "no user who can sign in" in shell.refusal("users", "disable", "alice")
    assert stage.as_(ALICE).get("/v1/me").status_code == 200


def test_nobody_unknown_is_disabled(shell: Shell) -> None:
    assert "no user with this name" in shell.refusal("users", "disable", "nobody")


def test_a_locked_user_may_sign_in_again_at_once(stage: Stage, shell: Shell) -> None:
    for _ in range(5):
        stage.caller().post("/v1/auth/login", json={"username": "bob", "password": "wrong"})
    assert [user["username"] for user in shell.json("users", "list") if user["locked_until"]] == ["bob"]

    assert "may sign in again" in shell("users", "unlock", "BOB").stdout
    assert "was not locked" in shell("users", "unlock", "bob").stdout

    assert stage.as_(BOB).get("/v1/me").status_code == 200
    (event,) = stage.events("user.unlocked")
    assert (event["actor_type"], event["target_name"]) == ("operator", "bob")


def test_sessions_are_listed_by_user_and_state(stage: Stage, shell: Shell) -> None:
    stage.as_(BOB)
    dave = stage.as_(DAVE)
    dave.post("/v1/auth/logout")
    assert [s["user"]["username"] for s in shell.json("sessions", "list")] == ["bob"]
    assert [s["end_reason"] for s in shell.json("sessions", "list", "--state", "ended")] == ["logout"]
    assert shell.json("sessions", "list", "--user", "dave") == []
    assert "bob" in shell("sessions", "list", "--state", "all").stdout


def test_a_revoked_session_is_over_on_the_next_request(stage: Stage, shell: Shell) -> None:
    bob = stage.as_(BOB)
    session = bob.tokens["session_id"]
    assert "The session of bob has ended" in shell("sessions", "revoke", session).stdout
    assert bob.get("/v1/me").json["code"] == "token.revoked"
    assert stage.events("session.ended")[-1]["actor_type"] == "operator"
    assert shell.json("sessions", "revoke", session)["changed"] is False
    assert "had already ended" in shell("sessions", "revoke", session).stdout


def test_a_session_that_never_was_is_not_revoked(shell: Shell) -> None:
    unknown = "0198a000-0000-7000-8000-000000000000"
    assert "rbac-api sessions list" in shell.refusal("sessions", "revoke", unknown)
    assert "not a valid UUID" in shell.refusal("sessions", "revoke", "nonsense", code=2)


def test_what_a_client_calls_itself_cannot_steer_the_terminal(stage: Stage, shell: Shell) -> None:
    stage.as_(BOB)
    escape = "char(27)" if stage.engine == "sqlite" else "chr(27)"
    stage.execute(f"UPDATE sessions SET client_id = 'x' || {escape} || '[2J'")
    said = shell("sessions", "list").stdout
    assert "\x1b" not in said
    assert r"x\x1b[2J" in said
