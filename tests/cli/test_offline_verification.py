"""An export of the trail is verified with what ships, without a database: `audit verify --file`."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rbac_api.trail.chain import Unreadable, Verdict, verify_export
from tests.builders import Stage
from tests.cast import ALICE, BOB, DAVE
from tests.cli.conftest import Shell

pytestmark = pytest.mark.outside

Lines = list[bytes]


@pytest.fixture
def lines(stage: Stage, shell: Shell, tmp_path: Path) -> Lines:
    """The exported events, of many kinds, some with texts that are hard to write down twice in the same way."""
    alice = stage.as_(ALICE)
    alice.post(
        "/v1/users", json={"username": "zoë ☂ 𝔘", "display_name": 'q"\\/\u00a0é', "email": "z@example.com"}
    )
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor", json={"reason": "tab\tand\nline"})
    stage.as_(BOB).delete("/v1/roles/admin", headers={"If-Match": '"x"'})
    stage.caller().post("/v1/auth/login", json={"username": "a\u200b", "password": "x"})
    file = tmp_path / "export.ndjson"
    assert shell("audit", "export", "--output", str(file)).exit_code == 0
    return file.read_bytes().splitlines(keepends=True)


def verdict(lines: Lines, expected: dict[int, str] | None = None) -> Verdict:
    return verify_export(lines, expected)[1]


def end(lines: Lines, at: int = -1) -> dict[int, str]:
    event = json.loads(lines[at])
    return {event["seq"]: event["hash"]}


def test_an_untouched_export_is_intact(lines: Lines) -> None:
    found = verdict(lines, {**end(lines), **end(lines, 3)})

    assert (found.checked, found.problem) == (len(lines), None)
    assert end(lines) == {found.seq: found.hash}


def test_a_changed_byte_anywhere_is_found(lines: Lines) -> None:
    whole, dice = b"".join(lines), random.Random(1)

    for place in dice.sample(range(len(whole)), 300):
        other = bytes([whole[place] ^ (1 << dice.randrange(7))])
        changed = (whole[:place] + other + whole[place + 1 :]).splitlines(keepends=True)
        if is_the_same(changed, lines):
            continue  # an escape or white space written in another way says the same
        try:
            assert verdict(changed).problem, (place, whole[place], other)
        except Unreadable:
            continue


def is_the_same(one: Lines, other: Lines) -> bool:
    try:
        return [json.loads(line) for line in one] == [json.loads(line) for line in other]
    except ValueError:
        return False


def without(lines: Lines, at: int) -> Lines:
    return [*lines[:at], *lines[at + 1 :]]


def swapped(lines: Lines, at: int) -> Lines:
    return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]


@pytest.mark.parametrize(
    ("change", "broken", "problem"),
    [
        (lambda lines: without(lines, 4), 6, "event 5 is missing"),
        (lambda lines: swapped(lines, 4), 6, "event 5 is missing"),
        (lambda lines: [*lines[:5], lines[4], *lines[5:]], 5, "event 6 is missing"),
    ],
)
def test_a_removed_a_repeated_and_a_moved_event_are_named(
    lines: Lines, change: Callable[[Lines], Lines], broken: int, problem: str
) -> None:
    found = verdict(change(lines))

    assert (found.broken_seq, (found.problem or "").startswith(problem)) == (broken, True), found.problem


def test_a_cut_tail_is_found_by_what_was_noted(lines: Lines) -> None:
    assert verdict(lines[:-3]).problem is None

    assert "the tail was cut" in str(verdict(lines[:-3], end(lines)).problem)


def test_a_rewritten_chain_is_found_by_what_was_noted(lines: Lines) -> None:
    assert "noted outside" in str(verdict(lines, {5: "f" * 64}).problem)


def test_an_export_that_begins_later_is_verified_from_there(lines: Lines) -> None:
    first, found = verify_export(lines[6:], end(lines, 5))

    assert (first, found.checked, found.problem) == (7, len(lines) - 6, None)
    assert "does not link to event 6" in str(verify_export(lines[6:], {6: "f" * 64})[1].problem)


def test_of_an_empty_export_nothing_is_known(lines: Lines) -> None:
    assert verify_export([]) == (0, Verdict(0, 0, "0" * 64))
    assert "the tail was cut" in str(verdict([], end(lines)).problem)


def edited(change: Callable[[dict[str, Any]], Any]) -> Callable[[bytes], bytes]:
    def edit(line: bytes) -> bytes:
        event = json.loads(line)
        change(event)
        return json.dumps(event).encode()

    return edit


UNREADABLE: dict[str, Callable[[bytes], bytes]] = {
    "no JSON": lambda _line: b"seq,at,actor_type\n",
    "no text": lambda _line: b"\xff\xfe{}\n",
    "a list": lambda _line: b"[1]\n",
    "a number": lambda _line: b"1\n",
    "null": lambda _line: b"null\n",
    "an empty line": lambda _line: b"\n",
    "very deep": lambda _line: b"[" * 100_000 + b"\n",
    "a key twice": lambda line: line.replace(b'{"seq"', b'{"seq":1,"seq"', 1),
    "one field more": edited(lambda event: event.update(note="x")),
    "one field more within": edited(lambda event: event["actor"].update(note="x")),
    "one field less": edited(lambda event: event.pop("ip")),
    "no actor": edited(lambda event: event.update(actor=None)),
    "a number as text": edited(lambda event: event.update(seq=str(event["seq"]))),
    "true as a number": edited(lambda event: event.update(seq=True)),
}


@pytest.mark.parametrize("damage", UNREADABLE)
def test_a_line_that_is_no_event_is_named(lines: Lines, damage: str) -> None:
    with pytest.raises(Unreadable, match="line 3 is not an event"):
        verify_export([*lines[:2], UNREADABLE[damage](lines[2]), *lines[3:]])


def test_the_command_needs_no_database(
    lines: Lines, tmp_path: Path, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    file, unreachable = tmp_path / "moved.ndjson", "postgresql://nobody@127.0.0.1:1/none"
    file.write_bytes(b"".join(lines))
    ((seq, digest),) = end(lines).items()

    said = command(
        "rbac_api", "audit", "verify", "--file", str(file), "--expect", f"{seq}:{digest}",
        RBAC_DATABASE_URL=unreachable, RBAC_SECRET_KEY="s" * 43,
    )  # fmt: skip

    assert (said.returncode, said.stderr) == (0, "")
    assert f"Intact: {len(lines)} events" in said.stdout
    assert "Every event given with --expect is present" in said.stdout


def test_the_command_says_what_is_wrong_with_a_file(lines: Lines, shell: Shell, tmp_path: Path) -> None:
    later, broken, table = (tmp_path / name for name in ("later.ndjson", "broken.ndjson", "export.csv"))
    later.write_bytes(b"".join(lines[6:]))
    broken.write_bytes(b"".join(without(lines, 4)))
    table.write_bytes(b"seq,at\r\n1,x\r\n")

    assert "The first is event 7" in shell("audit", "verify", "--file", str(later)).stdout
    assert shell.json("audit", "verify", "--file", str(broken), code=1)["broken"]["seq"] == 6
    assert "a CSV export cannot be verified" in shell.refusal("audit", "verify", "--file", str(table))
    assert "No such file" in shell.refusal("audit", "verify", "--file", str(tmp_path / "none"), code=2)
