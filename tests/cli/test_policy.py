"""`rbac-api policy`: the whole policy as a file, what it would change, and changing it; for people and for pipelines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rbac_api.cli import plan_text
from rbac_api.formats.strict_yaml import parse_yaml, yaml_text
from tests.builders import Stage
from tests.capabilities.policy.stories import TEA, apply, everything, export
from tests.capabilities.use.scenes import used
from tests.cast import ALICE, DAVE
from tests.cli.conftest import Shell


@pytest.fixture
def tea(tmp_path: Path) -> str:
    path = tmp_path / "tea.yaml"
    path.write_text(yaml_text(TEA), encoding="utf-8")
    return str(path)


def test_what_is_exported_is_in_sync(stage: Stage, shell: Shell, tmp_path: Path) -> None:
    apply(stage.as_(ALICE), TEA)
    path = tmp_path / "policy.yaml"
    before = everything(stage)

    assert shell("policy", "export", "--file", str(path)).exit_code == 0

    for command in ("plan", "drift"):
        result = shell("policy", command, "--file", str(path), "--prune")
        assert (result.exit_code, result.stderr) == (0, "")
    assert shell("policy", "drift", "-f", str(path)).stdout == "In sync.\n"
    assert everything(stage) == before


def test_both_forms_are_the_api_s(stage: Stage, shell: Shell) -> None:
    found = export(stage.as_(ALICE))

    assert parse_yaml(shell("policy", "export").stdout) == found
    assert json.loads(shell("policy", "export", "--format", "json").stdout) == found


def test_a_plan_has_a_line_per_change_and_one_for_all(stage: Stage, shell: Shell, tea: str) -> None:
    before = everything(stage)

    result = shell("policy", "plan", "--file", tea)

    assert result.exit_code == 2
    assert result.stdout == (
        "  + permission tea:brew (description: Brew tea.)\n"
        "  + role brewer (description: Brews.; permissions: invoices:read, tea:brew)\n"
        "  + role head-brewer (description: Leads.)\n"
        "  + inheritance head-brewer inherits brewer\n"
        "  + constraint no-tea-for-managers (kind: static; roles: brewer, role-manager; limit: 2)\n"
        "  + assignment carol has brewer (mode: eligible; max_duration: 3600)\n"
        "  + assignment dave has head-brewer (reason: Founder; expires_at: 2040-01-01T00:00:00.000000Z)\n"
        "\nGained (+) and lost (-) permissions:\n"
        "  + alice: tea:brew\n"
        "  + dave: invoices:read, tea:brew\n"
        "\nPlan: 7 to add, 0 to change, 0 to remove.\n"
    )
    assert everything(stage) == before


def test_drift_is_terse(shell: Shell, tea: str) -> None:
    result = shell("policy", "drift", "--file", tea)

    assert result.exit_code == 2
    lines = result.stdout.splitlines()
    assert lines[-1] == "Differs: 7 to add, 0 to change, 8 to remove."
    assert [line[:4] for line in lines[:-1]] == ["  + "] * 7 + ["  - "] * 8


BY_HAND: dict[str, tuple[str, str, Any, str]] = {
    "a permission": (
        "POST", "/v1/permissions", {"name": "tea:pour", "description": "Pour."}, "  - permission tea:pour"),
    "a role": ("POST", "/v1/roles", {"name": "taster"}, "  - role taster"),
    "a grant": ("PUT", "/v1/roles/brewer/permissions/payments:release", None, "-payments:release"),
    "a grant to a role without a list": (
        "PUT", "/v1/roles/head-brewer/permissions/payments:release", None, "-payments:release"),
    "a withdrawal": ("DELETE", "/v1/roles/brewer/permissions/tea:brew", None, "+tea:brew"),
    "an inheritance": (
        "PUT", "/v1/roles/brewer/inherits/auditor", None, "  - inheritance brewer inherits auditor"),
    "an assignment": ("PUT", "/v1/users/{dave}/roles/brewer", None, "  - assignment dave has brewer"),
    "an assignment of what is built in": (
        "PUT", "/v1/users/{dave}/roles/auditor", None, "  - assignment dave has auditor"),
    "other terms": (
        "PUT", "/v1/users/{dave}/roles/head-brewer", {"reason": "Other"}, "  ~ assignment dave has head-brewer"),
    "a constraint": (
        "POST", "/v1/constraints", {"name": "two", "kind": "max-holders", "roles": ["brewer"], "limit": 2},
        "  - constraint two"),
}  # fmt: skip


@pytest.mark.parametrize("by_hand", BY_HAND)
def test_whatever_was_changed_by_hand_is_named_without_flags_and_nothing_is_written(
    stage: Stage, shell: Shell, tmp_path: Path, by_hand: str
) -> None:
    method, path, body, words = BY_HAND[by_hand]
    alice, file = stage.as_(ALICE), tmp_path / "policy.yaml"
    apply(alice, TEA)
    shell("policy", "export", "--file", str(file))
    assert shell("policy", "drift", "-f", str(file)).exit_code == 0
    done = alice.call(method, path.format(dave=stage.user_id(DAVE)), **({"json": body} if body else {}))
    assert done.status_code < 300, done.json
    before = everything(stage)

    found = shell("policy", "drift", "-f", str(file))

    assert (found.exit_code, len(found.stdout.splitlines())) == (2, 2), found.stdout
    assert words in found.stdout
    assert everything(stage) == before
    apply(alice, parse_yaml(file.read_text(encoding="utf-8")), prune=True)
    assert shell("policy", "drift", "-f", str(file)).stdout == "In sync.\n"


def test_sections_that_are_not_in_the_file_are_not_compared(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("constraints: []", encoding="utf-8")

    assert shell("policy", "drift", "-f", str(file)).stdout == "In sync.\n"


def test_263_faults_are_a_line_each_up_to_a_hundred_and_the_number_of_the_rest(
    shell: Shell, tmp_path: Path
) -> None:
    names = [f"no:such-{number}" for number in range(263)]
    for name, role in {
        "form": [{"name": "brewer", "permissions": [f"{name} " for name in names]}],
        "names": [{"name": "brewer", "permissions": names}],
    }.items():
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml_text({"roles": role}), encoding="utf-8")
        for command in ("plan", "drift", "apply"):
            lines = shell.refusal("policy", command, "-f", str(file)).splitlines()
            assert len([line for line in lines if "permissions" in line]) == 100
            assert lines[-1].endswith("and 163 more")


def test_programs_get_json_or_yaml(shell: Shell, tea: str) -> None:
    for command in ("plan", "drift"):
        as_json = shell("policy", command, "--file", tea, "--format", "json")
        as_yaml = shell("policy", command, "--file", tea, "--format", "yaml")
        assert as_json.exit_code == as_yaml.exit_code == 2
        assert json.loads(as_json.stdout) == parse_yaml(as_yaml.stdout)


def test_applying_asks_first(stage: Stage, shell: Shell, tea: str) -> None:
    before = everything(stage)
    no = shell("policy", "apply", "--file", tea, typed="n\n")
    assert (no.exit_code, everything(stage)) == (1, before)

    yes = shell("policy", "apply", "--file", tea, typed="y\n")

    assert (yes.exit_code, "Applied: 7 to add" in yes.stdout) == (0, True)
    assert shell("policy", "apply", "--file", tea, "--yes").stdout.startswith("Nothing to do")
    assert shell("policy", "plan", "--file", tea).exit_code == 0


def applied(stage: Stage) -> int:
    seq: int = apply(stage.as_(ALICE), TEA).json["seq"]
    return seq


def test_undoing_shows_what_goes_and_asks_first(stage: Stage, shell: Shell) -> None:
    before = export(stage.as_(ALICE))
    seq = applied(stage)
    there = everything(stage)

    no = shell("policy", "revert", str(seq), typed="n\n")
    assert (no.exit_code, everything(stage)) == (1, there)
    assert "  - permission tea:brew" in no.stdout
    assert "  - dave: invoices:read, tea:brew\n" in no.stdout

    yes = shell("policy", "revert", str(seq), typed="y\n")

    assert (yes.exit_code, "Reverted: 0 to add, 0 to change, 7 to remove." in yes.stdout) == (0, True)
    assert export(stage.as_(ALICE)) == before
    assert "already reverted" in shell.refusal("policy", "revert", str(seq), "--yes", code=1)


def test_a_script_undoes_without_being_asked(stage: Stage, shell: Shell) -> None:
    seq = applied(stage)

    done = shell("policy", "revert", str(seq), "--yes", "--format", "json")

    assert json.loads(done.stdout)["seq"] > seq


def test_what_has_changed_since_is_named_and_not_overwritten(stage: Stage, shell: Shell) -> None:
    seq = applied(stage)
    assert stage.as_(ALICE).delete("/v1/constraints/no-tea-for-managers").status_code == 204
    before = everything(stage)

    told = shell.refusal("policy", "revert", str(seq), "--yes", code=1)

    assert told.rstrip().endswith("\n  constraint no-tea-for-managers")
    assert everything(stage) == before
    assert shell.refusal("policy", "revert", "999999", "--yes", code=1)
    assert shell.refusal("policy", "revert", "none", code=1)


def test_a_script_applies_without_being_asked(shell: Shell, tea: str) -> None:
    done = shell("policy", "apply", "--file", tea, "--yes", "--format", "json")
    again = shell("policy", "apply", "--file", tea, "--yes", "--format", "json")

    assert json.loads(done.stdout)["seq"] > 0
    assert json.loads(again.stdout)["summary"] == "0 to add, 0 to change, 0 to remove"


def test_what_is_refused_is_shown_and_not_applied(stage: Stage, shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    rule = {"name": "apart", "kind": "static", "roles": ["role-manager", "auditor"], "limit": 2}
    held = [{"user": "bob", "role": "auditor"}]
    roles = [{"name": "auditor", "description": "Mine."}]
    path.write_text(yaml_text({"roles": roles, "constraints": [rule], "assignments": held}))
    before = everything(stage)

    result = shell("policy", "apply", "--file", str(path), "--yes")

    assert (result.exit_code, everything(stage)) == (1, before)
    assert "  ! apart: bob would hold role-manager, auditor\n" in result.stdout
    assert "(role.system)\n" in result.stdout
    assert shell("policy", "apply", "-f", str(path), "--yes", "--format", "yaml").exit_code == 1


def test_a_policy_that_changed_after_the_plan_is_not_touched(
    stage: Stage, shell: Shell, tea: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(stage, events=False)
    found: dict[str, Any] = json.loads(shell("policy", "plan", "-f", tea, "--format", "json").stdout)
    monkeypatch.setattr("rbac_api.cli.policy.plan_policy", lambda *_a, **_k: {**found, "hash": "0" * 64})

    result = shell("policy", "apply", "--file", tea, "--yes")

    assert (result.exit_code, "has changed since" in result.stderr) == (1, True)
    assert everything(stage, events=False) == before


def test_whatever_goes_wrong_ends_with_one(shell: Shell, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("users: [{username: eve}]")
    for words in (["--file", str(tmp_path / "none.yaml")], ["--file", str(bad)], ["--what"], []):
        for command in ("plan", "drift", "apply"):
            assert shell.refusal("policy", command, *words, code=1)
    assert shell.refusal("policy", "export", "--file", str(tmp_path / "no" / "x.yaml"))


class Terminal:
    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    painted: Any = plan_text.colours(Terminal())  # type: ignore[arg-type]
    assert [painted(sign, "x") for sign in "+~-!"] == [
        "\x1b[32mx\x1b[0m", "\x1b[33mx\x1b[0m", "\x1b[31mx\x1b[0m", "\x1b[31m\x1b[1mx\x1b[0m",
    ]  # fmt: skip
    monkeypatch.setenv("NO_COLOR", "1")
    assert plan_text.colours(Terminal())("+", "x") == "x"  # type: ignore[arg-type]


def test_long_gains_are_cut_and_nothing_steers_the_terminal() -> None:
    who = {"id": "1", "username": "eve\x1b[2J"}
    gain = {"user": who, "permissions": [f"a:p{number}" for number in range(25)]}
    empty: dict[str, list[Any]] = {}
    found = {
        "created": {"permissions": [{"name": "a:b", "description": "x"}]}, "changed": empty, "removed": empty, "gains": [gain],
        "losses": [], "in_use": [], "violations": [], "refusals": [], "sessions_stale": 1, "summary": "s",
    }  # fmt: skip

    text = "\n".join(plan_text.plan_lines(found, lambda _sign, line: line))

    assert "a:p19 and 5 more" in text
    assert "\x1b" not in text
    assert "1 session has a token" in text
    assert "Who may" not in "\n".join(plan_text.plan_lines({**found, "gains": []}, lambda _sign, line: line))


def test_what_is_used_is_taken_away_only_when_told_so(stage: Stage, shell: Shell, tmp_path: Path) -> None:
    clerk = {"name": "clerk", "permissions": ["invoices:read", "invoices:approve"]}
    document = {"roles": [clerk], "assignments": [{"user": "dave", "role": "clerk"}]}
    assert apply(stage.as_(ALICE), document).status_code == 200
    used(stage, DAVE, "invoices:approve", times=3)
    used(stage, DAVE, "invoices:read", ago=40)
    path = tmp_path / "less.yaml"
    path.write_text(yaml_text({"roles": [{**clerk, "permissions": []}]}), encoding="utf-8")
    words = ("--file", str(path), "--yes")

    shown = shell("policy", "plan", *words[:2]).stdout
    assert "Taken away, and used lately:\n  ! dave: invoices:approve, 3 times, last on " in shown
    assert (
        "  ! dave: invoices:read, once, last on "
        in shell("policy", "plan", *words[:2], "--used-within", "50").stdout
    )
    refused = shell("policy", "apply", *words)
    assert (refused.exit_code, "add --even-if-used" in refused.stderr) == (1, True)
    assert shell("policy", "apply", *words, "--even-if-used").exit_code == 0
