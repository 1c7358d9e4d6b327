"""`rbac-api assignments import`: who has which role, from a spreadsheet; all rows or none, and every wrong one is named."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from rbac_api.capabilities.policy import imports
from tests.builders import Stage
from tests.capabilities.policy.stories import TEA, apply, everything
from tests.cast import ALICE, BOB, DAVE
from tests.cli.conftest import Shell

GOOD = (
    "\ufeffuser,role,reason,starts_at,expires_at,mode,max_duration\r\n"
    'dave,auditor,"Covers, for now",,2040-01-01T00:00:00Z,,\r\n'
    "DAVE,role-manager,,2039-01-01T00:00:00Z,,,\r\n"
    "\r\n"
    "carol,role-manager,,,,eligible,3600\r\n"
    "bob,role-manager,,,,,\r\n"
)


def written(folder: Path, text: str) -> str:
    path = folder / "rows.csv"
    path.write_bytes(text.encode())
    return str(path)


def test_every_row_is_given_with_an_event_each(stage: Stage, shell: Shell, tmp_path: Path) -> None:
    before = len(stage.events())

    found = shell.json("assignments", "import", written(tmp_path, GOOD))

    assert found == {"created": 3, "changed": 0, "unchanged": 1, "dry_run": False}
    assert [event["action"] for event in stage.events()[before:]] == ["assignment.created"] * 3
    assert shell("audit", "verify").exit_code == 0
    dave = stage.as_(ALICE).get(f"/v1/users/{stage.user_id(DAVE)}/roles").json
    assert {entry["role"]: entry["expires_at"] for entry in dave["direct"]} == {
        "auditor": "2040-01-01T00:00:00Z",
        "role-manager": None,
    }
    assert [role["role"] for role in dave["effective"]] == ["auditor"]


def test_importing_it_again_changes_nothing(stage: Stage, shell: Shell, tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    shell("assignments", "import", path)
    before = everything(stage)

    assert "Imported: 0 assigned, 0 changed, 4 unchanged." in shell("assignments", "import", path).stdout
    assert everything(stage) == before


def test_a_dry_run_tells_and_leaves_nothing(stage: Stage, shell: Shell, tmp_path: Path) -> None:
    before = everything(stage)

    result = shell("assignments", "import", written(tmp_path, GOOD), "--dry-run")

    assert result.stdout == "Would be imported: 3 assigned, 0 changed, 1 unchanged.\n"
    assert everything(stage) == before


def test_other_terms_are_changed(stage: Stage, shell: Shell, tmp_path: Path) -> None:
    found = shell.json(
        "assignments", "import", written(tmp_path, "user,role,reason\nbob,role-manager,New desk\n")
    )

    assert found["changed"] == 1
    roles = stage.as_(ALICE).get(f"/v1/users/{stage.user_id(BOB)}/roles").json
    assert [entry["reason"] for entry in roles["direct"]] == ["New desk"]


def test_a_user_may_be_named_by_id(stage: Stage, shell: Shell, tmp_path: Path) -> None:
    dave, unknown = stage.user_id(DAVE).upper(), str(uuid.uuid4())
    rows = f"user,role\n{dave},auditor\n"

    assert shell.json("assignments", "import", written(tmp_path, rows))["created"] == 1
    assert "auditor" in stage.as_(ALICE).get(f"/v1/users/{dave}/roles").text
    refused = shell("assignments", "import", written(tmp_path, rows + f"{unknown},auditor\n"))
    assert f"user {unknown} is unknown" in refused.stderr


WRONG = (
    "user,role,reason,starts_at,expires_at,mode,max_duration\n"
    "dave,auditor,fine,,,,\n"
    "eve,auditor,,,,,\n"
    "dave,none,,,,,\n"
    "dave,auditor,again,,,,\n"
    "carol,admin,,,2001-01-01T00:00:00Z,,\n"
    "carol,admin,,,tomorrow,,\n"
    "carol,role-manager,,,,,3600\n"
    ",admin,,,,,\n"
    "carol,role-manager,,,,,,beyond\n"
    "bob,role-manager,,2039-01-01T00:00:00Z,,,\n"
)


def test_every_wrong_row_is_named_and_none_is_imported(stage: Stage, shell: Shell, tmp_path: Path) -> None:
    before = everything(stage)

    words = shell.refusal("assignments", "import", written(tmp_path, WRONG))

    assert everything(stage) == before
    assert "9 rows are wrong; nothing was imported." in words
    assert [number for number in range(1, 12) if f"  line {number}: " in words] == [
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        10,
        11,
    ]
    assert "line 3: user eve is unknown" in words
    assert "line 5: dave with auditor comes a second time" in words


HEADERS = {
    "user\ndave\n": "the column role is missing",
    "": "the column user is missing",
    "user,role,colour\n": "the column 'colour' is unknown",
    "user,role,user\n": "a column comes twice",
}


@pytest.mark.parametrize("text", HEADERS)
def test_a_header_that_is_none_is_refused(shell: Shell, tmp_path: Path, text: str) -> None:
    assert HEADERS[text] in shell.refusal("assignments", "import", written(tmp_path, text))


def test_a_file_that_cannot_be_read_says_so(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(b"user,role\n\xe6,admin\n")
    broken = written(tmp_path, 'user,role\n"dave"x,admin\n')

    for path in (str(tmp_path / "none.csv"), broken):
        assert "cannot be read" in shell.refusal("assignments", "import", path)
    assert "was read as Windows-1252" in shell.refusal("assignments", "import", str(tmp_path / "latin.csv"))


def test_rules_hold_over_the_whole_file(stage: Stage, shell: Shell, tmp_path: Path) -> None:
    apply(stage.as_(ALICE), TEA)
    before = everything(stage)

    words = shell.refusal("assignments", "import", written(tmp_path, "user,role\ndave,role-manager\n"))

    assert "dave would hold brewer, role-manager, which the constraint no-tea-for-managers forbids" in words
    assert everything(stage) == before


def test_it_goes_through_in_batches(
    stage: Stage, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "ROWS_PER_BATCH", 2)
    before = everything(stage, events=False)

    assert shell.json("assignments", "import", written(tmp_path, GOOD), "--dry-run")["created"] == 3
    last_wrong = GOOD + "eve,auditor,,,,,\r\n"
    assert "1 row is wrong" in shell.refusal("assignments", "import", written(tmp_path, last_wrong))
    assert everything(stage, events=False) == before


def test_only_the_first_hundred_are_told(shell: Shell, tmp_path: Path) -> None:
    rows = "".join(f"eve{number},auditor\n" for number in range(150))

    assert "and 50 more" in shell.refusal("assignments", "import", written(tmp_path, f"user,role\n{rows}"))


def rows_of(people: int, reason: str) -> str:
    lines = [f"guest-{number},auditor,{reason}" for number in range(people)]
    return "user,role,reason\n" + "\n".join(lines) + "\n"


def work_of(stage: Stage, shell: Shell, path: str) -> int:
    """Statements and rows of values that an import sends to the database."""
    sent: list[int] = []

    def note(*call: Any) -> None:
        sent.append(len(call[3]) if call[5] else 1)

    event.listen(stage.database.engine, "before_cursor_execute", note)
    assert shell("assignments", "import", path).exit_code == 0
    event.remove(stage.database.engine, "before_cursor_execute", note)
    return sum(sent)


def test_a_row_that_changes_costs_at_most_three_times_a_new_one(
    stage: Stage, shell: Shell, tmp_path: Path
) -> None:
    columns = "username, username_canonical, kind, status, password_temporary, version, authorization_version, created_at, updated_at"
    stage.execute(*(
        f"INSERT INTO users (id, {columns}) SELECT '{uuid.UUID(int=number + 1).hex}', 'guest-{number}', 'guest-{number}',"
        f" kind{columns.partition('kind')[2]} FROM users WHERE username_canonical = 'dave'"
        for number in range(60)
    ))  # fmt: skip

    new = work_of(stage, shell, written(tmp_path, rows_of(60, "new")))
    changed = work_of(stage, shell, written(tmp_path, rows_of(60, "changed")))

    assert [row[0] for row in stage.query("SELECT count(*) FROM assignments WHERE reason = 'changed'")] == [
        60
    ]
    assert changed <= 3 * new, (changed, new)
