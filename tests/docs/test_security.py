"""docs/security.md claims nothing that no test holds: each test it names is there, and each item of the standard has a row with a state."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from rbac_api.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", DOCUMENT)))
PLACES = sorted(set(re.findall(r"`((?:rbac_api|docs|tests|openapi|requirements)/[\w./]+)`", DOCUMENT)))
STATES = ("pass", "written", "n/a", "open")
ITEMS = [
    item
    for line in Path(__file__).with_name("asvs_items.txt").read_text().splitlines()
    if not line.startswith("#")
    for item in line.split()
]


def rows(heading: str) -> list[list[str]]:
    """The cells of each table row below a heading of the second level, without the heads of the tables."""
    section = DOCUMENT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if row[0] not in ("promise", "item")]


@cache
def defined(file: str) -> frozenset[str]:
    path = ROOT / file
    return (
        frozenset(re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE))
        if path.exists()
        else frozenset()
    )


def standard() -> dict[str, list[str]]:
    """The row of each item; several items may share one."""
    return {item: row for row in rows("ASVS 5.0") for item in row[0].split(" · ")}


def test_every_test_that_is_named_exists() -> None:
    missing = [f"{file}::{name}" for file, name in NAMED if name not in defined(file)]

    assert missing == []
    assert len(NAMED) > 100


def test_every_other_place_that_is_named_exists() -> None:
    assert [place for place in PLACES if not (ROOT / place).exists()] == []


def test_a_test_that_is_not_there_would_be_missed() -> None:
    assert "test_nothing_of_the_kind" not in defined("tests/attacks/test_replay.py")
    assert defined("tests/attacks/test_nowhere.py") == frozenset()


def test_every_promise_names_a_test_that_would_break_it() -> None:
    promises = rows("Promises")

    assert len(promises) > 40
    assert [row[0] for row in promises if len(row) != 3 or not row[1] or "::" not in row[2]] == []


@pytest.mark.parametrize("item", ITEMS)
def test_every_item_of_the_standard_has_a_row_with_a_state(item: str) -> None:
    row = standard()[item]

    assert len(row) == 4
    assert row[2].startswith(STATES)
    assert row[3], "where, or why not"


def test_what_passes_names_a_test_and_what_is_written_is_there() -> None:
    for row in standard().values():
        if row[2].startswith("pass"):
            assert "::" in row[3], row[0]
        if row[2] == "written":
            assert any(
                row[0] in re.findall(r"\d+\.\d+\.\d+", bold)
                for bold in re.findall(r"^\*\*(.+?)\*\*", DOCUMENT, re.MULTILINE)
            ), row[0]


def test_the_figures_are_those_that_run() -> None:
    now = Settings()
    sentences = [
        f"Access token {now.access_token_seconds} s; idle {now.refresh_token_seconds} s; absolute {now.session_seconds} s, never extended.",
        f"At most {now.max_sessions} sessions a user, the oldest ends.",
        f"{now.signin_limit.split()[0]} sign-ins a minute (`RBAC_SIGNIN_LIMIT`), {now.token_limit.split()[0]} token requests",
        f"a lock of {now.signin_lock_seconds} s",
        f"`RBAC_REVOCATION_SECONDS` ({now.revocation_seconds}, only behind a cache)",
    ]

    text = " ".join(DOCUMENT.split())
    assert [sentence for sentence in sentences if sentence not in text] == []
    assert (now.signin_free_failures, now.signin_lock_failures, now.password_setup_seconds) == (5, 10, 86400)
    assert (now.refresh_leeway_seconds, now.recent_signin_seconds, now.client_secret_seconds) == (
        10,
        3600,
        365 * 86400,
    )


def test_no_row_is_about_an_item_that_is_not_on_the_list() -> None:
    assert set(standard()) == set(ITEMS)
    assert len(ITEMS) == len(set(ITEMS))
