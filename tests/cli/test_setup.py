"""`init`, `seed`, `keys`, `openapi`, and what every command says when it cannot begin."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rbac_api.cli import setup
from rbac_api.settings import Settings
from tests.builders import OpenNode, Stage, settings_for
from tests.cli.conftest import Shell

MakeShell = Callable[[Settings], Shell]
SMALL = """
permissions: [{name: "tills:open", description: Open a till.}]
roles: [{name: cashier, permissions: ["tills:open"]}]
users: [{username: sam}]
assignments: [{user: sam, role: cashier}]
"""


@pytest.fixture
def seed_file(tmp_path: Path) -> str:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    return str(file)


def test_init_makes_an_empty_database_ready_and_says_the_password_once(
    empty_url: str, shell_with: MakeShell
) -> None:
    shell = shell_with(settings_for(empty_url, admin_password=""))
    said = shell("init").stdout
    assert "migrated from nothing" in said
    assert "Administrator: operator-made, one-time password: " in said
    assert shell("init").stdout == "Nothing to do: the database is ready.\n"


def test_init_tells_scripts_the_same(empty_url: str, shell_with: MakeShell) -> None:
    done = shell_with(settings_for(empty_url, admin_password="")).json("init")
    assert done["username"] == "operator-made"
    assert done["password"]


@pytest.mark.parametrize(
    "words", [("users", "list"), ("audit", "verify"), ("keys", "list"), ("recover-admin", "x")]
)
def test_an_empty_database_is_refused_with_the_remedy(
    empty_url: str, shell_with: MakeShell, words: tuple[str, ...]
) -> None:
    assert shell_with(settings_for(empty_url)).refusal(*words) == (
        "Error: The database is empty: run `rbac-api init`.\n"
    )


def test_a_database_that_does_not_answer_is_a_sentence(shell_with: MakeShell) -> None:
    shell = shell_with(settings_for("postgresql://rbac:hidden-password@127.0.0.1:1/nowhere"))
    said = shell.refusal("users", "list")
    assert "The database does not answer; nothing was changed." in said
    assert "hidden-password" not in said


def test_a_fault_of_the_database_is_a_sentence_too(stage: Stage, shell: Shell) -> None:
    table = "signing_keys_away"
    stage.execute(f"ALTER TABLE signing_keys RENAME TO {table}")
    try:
        said = shell.refusal("keys", "list")
    finally:
        stage.execute(f"ALTER TABLE {table} RENAME TO signing_keys")
    assert said.startswith("Error: The database ")
    assert "signing_keys" in said


def test_a_name_that_a_database_cannot_even_hold_is_a_sentence(shell: Shell) -> None:
    assert shell.refusal("users", "disable", "nul\0nul").startswith("Error: The")


def test_a_document_is_added_once(stage: Stage, shell: Shell, seed_file: str) -> None:
    assert shell.json("seed", seed_file) == {
        "domains": 0, "permissions": 1, "roles": 1, "constraints": 0, "users": 1, "assignments": 1,
    }  # fmt: skip
    assert shell("seed", seed_file).stdout.startswith("Nothing to add")
    (event,) = [e for e in stage.events("seed.loaded") if e["target_name"] == "small.yaml"]
    assert event["actor_type"] == "operator"


def test_a_grant_that_is_over_is_left_out_and_said_so(stage: Stage, shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "old.yaml"
    file.write_text(SMALL.replace("role: cashier}", 'role: cashier, expires_at: "2020-01-01T00:00:00Z"}'))

    said = shell("seed", str(file))

    assert "sam with cashier was over at 2020-01-01T00:00:00Z: left out" in said.stderr
    assert [event["target_name"] for event in stage.events("assignment.created")].count("sam") == 0


def test_a_document_with_faults_is_refused_whole(stage: Stage, shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(SMALL.replace("role: cashier}", "role: unheard-of}"))
    before = len(stage.events())
    assert "role unheard-of is unknown" in shell.refusal("seed", str(file))
    assert "cannot be read" in shell.refusal("seed", str(tmp_path / "missing.yaml"))
    assert len(stage.events()) == before


def test_keys_are_listed_and_withdrawn_before_one_of_a_new_algorithm_is_made(
    stage: Stage, shell_with: MakeShell
) -> None:
    """The setting was changed, and `init` makes the new key: until then no key signs."""
    shell = shell_with(replace(stage.settings, signing_algorithm="ES256"))
    (old,) = shell.json("keys", "list")

    assert shell("keys", "withdraw", old["kid"]).stdout == f"Withdrawn: {old['kid']}\n"

    assert [key["state"] for key in shell.json("keys", "list")] == ["withdrawn"]
    assert "no key with this kid" in shell.refusal("keys", "withdraw", "unknown")


def test_keys_are_listed_without_their_private_part(shell: Shell) -> None:
    (key,) = shell.json("keys", "list")
    assert (key["algorithm"], key["state"], key["kept_in"]) == ("EdDSA", "active", "database")
    moments = {"created_at", "signs_from", "retired_at", "withdrawn_at", "verifies_until"}
    assert set(key) == {"kid", "algorithm", "state", "kept_in"} | moments
    assert "active" in shell("keys", "list").stdout


def test_the_operator_rotates_and_withdraws(stage: Stage, shell: Shell) -> None:
    (old,) = shell.json("keys", "list")
    assert "signs new tokens" in shell.refusal("keys", "withdraw", old["kid"])

    assert shell("keys", "rotate").stdout.startswith("Next signing key: ")
    assert [key["state"] for key in shell.json("keys", "list")] == ["next", "active"]
    assert shell("keys", "rotate", "--emergency").stdout.startswith("Active signing key: ")
    assert shell("keys", "withdraw", old["kid"]).stdout == f"Withdrawn: {old['kid']}\n"

    assert [key["state"] for key in shell.json("keys", "list")] == ["active", "retired", "withdrawn"]
    assert [event["actor_type"] for event in stage.events("key.withdrawn")] == ["operator"]
    assert "no key with this kid" in shell.refusal("keys", "withdraw", "unknown")


def test_a_key_whose_name_begins_with_a_hyphen_can_be_withdrawn(shell: Shell) -> None:
    assert "no key with this kid" in shell.refusal(
        "keys", "withdraw", "-TDp_xG29nPW34zwLKSVwluBclAbEARmblnpXZ9RT6A"
    )


def test_a_shared_secret_is_listed_as_kept_in_the_settings(stage: Stage, shell_with: MakeShell) -> None:
    key, _own = shell_with(replace(stage.settings, signing_algorithm="HS256")).json("keys", "list")
    assert (key["algorithm"], key["kept_in"], key["created_at"]) == ("HS256", "settings", None)


def test_the_openapi_document_needs_no_database(tmp_path: Path, shell_with: MakeShell) -> None:
    shell = shell_with(settings_for(f"sqlite:///{tmp_path}/never.db"))
    served = shell.app.test_client().get("/openapi.json").data
    assert shell("openapi").stdout_bytes == served + b"\n"
    assert not (tmp_path / "never.db").exists()


def test_the_openapi_document_is_written_below_the_current_folder(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shell("openapi", "--write").exit_code == 0
    assert json.loads(setup.DOCUMENT.read_bytes())["openapi"].startswith("3.1")
    assert setup.DOCUMENT.read_bytes().endswith(b"}\n")


def test_adopting_an_issuer_says_what_is_to_be_done_next(
    stage: Stage, node: OpenNode, shell_with: MakeShell
) -> None:
    new = node(issuer="https://new.example")
    said = shell_with(new.settings)("adopt-issuer").stdout
    assert said == "Issuer: https://new.example, audience: rbac-api. Restart every node with these.\n"
    assert new.caller().get("/readyz").status_code == 200
    assert stage.caller().get("/readyz").status_code == 503
