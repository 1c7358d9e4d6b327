"""An export, a checkpoint and a public key are enough to verify the trail, here or on another machine."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from rbac_verifier.audit import main
from rbac_verifier.events import FIELDS, canonical, event_hash, read_export
from tests.builders import Stage
from tests.cast import ALICE, BOB
from tests.cli.conftest import Shell

Lines = list[bytes]


class Desk:
    """An auditor's: a checkpoint, the key, and an export that was made after it."""

    def __init__(self, shell: Shell, folder: Path) -> None:
        self.shell, self.file, self.checkpoint = shell, folder / "export.ndjson", folder / "checkpoint.txt"
        self.checkpoint.write_text(shell("audit", "checkpoint").stdout)
        self.key = shell("audit", "key").stdout.strip()
        assert shell("audit", "export", "-o", str(self.file)).exit_code == 0
        self.lines = self.file.read_bytes().splitlines(keepends=True)
        self.size = int(self.checkpoint.read_text().split("\n")[1])

    @property
    def words(self) -> list[str]:
        return ["--file", str(self.file), "--checkpoint", str(self.checkpoint), "--key", self.key]

    def verify(self, lines: Lines, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
        """Exit code and words of the installed verifier, which the service's command shares."""
        self.file.write_bytes(b"".join(lines))
        code = main(self.words)
        said = capsys.readouterr().out
        theirs = self.shell("audit", "verify", *self.words)
        assert (theirs.exit_code == 0) == (code == 0)
        assert said in theirs.stdout or "is not an event" in theirs.stderr
        return code, said


@pytest.fixture
def desk(stage: Stage, shell: Shell, tmp_path: Path) -> Desk:
    stage.as_(ALICE).post("/v1/roles", json={"name": "clerk"})
    stage.as_(BOB)
    return Desk(shell, tmp_path)


def test_an_untouched_export_is_that_of_the_checkpoint(
    desk: Desk, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = desk.verify(desk.lines, capsys)

    assert (code, len(desk.lines)) == (0, desk.size)
    assert f"The first {desk.size} events are those of the checkpoint of 127.0.0.1:8000/v1/audit." in said
    stage.as_(BOB)
    desk.shell("audit", "export", "-o", str(desk.file))
    assert (
        "It does not cover the last 2"
        in desk.verify(desk.file.read_bytes().splitlines(keepends=True), capsys)[1]
    )


def changed(lines: Lines) -> Lines:
    return [*lines[:4], lines[4].replace(b'"outcome":"success"', b'"outcome":"refused"'), *lines[5:]]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (changed, "BROKEN at event 5: event 5 was altered"),
        (lambda lines: lines[:-2], "the tail was cut after"),
        (lambda lines: lines[:1], "the tail was cut after 1"),
        (lambda _lines: [], "the tail was cut after 0"),
        (lambda lines: [*lines[:4], *lines[5:]], "BROKEN at event 6: event 5 is missing: 6 follows 4.\n"),
        (
            lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]],
            "event 5 is missing: 6 follows 4; event 5 stands later, so events were re-ordered or repeated",
        ),
        (lambda lines: [*lines[:4], lines[3], *lines[4:]], "re-ordered or repeated"),
        (lambda lines: lines[1:], "event 1 is missing: the file begins with event 2"),
        (lambda lines: [*lines[:4], lines[5], b"x\n", lines[4]], "event 5 is missing: 6 follows 4.\n"),
        (lambda lines: [*lines[:4], b"x\n", *lines[5:]], "line 5 is not an event"),
    ],
)
def test_what_was_done_to_an_export_is_named(
    desk: Desk, change: Callable[[Lines], Lines], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = desk.verify(change(desk.lines), capsys)

    assert (code, problem in said) == (1, True), said


def test_a_chain_that_was_written_anew_is_not_that_of_the_checkpoint(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    link, forged = "0" * 64, []
    for number, line in enumerate(desk.lines):
        event = json.loads(line) | {"prev_hash": link}
        if number == 6:
            event["reason"] = "never happened"
        link = event["hash"] = rehashed(event)
        forged.append(json.dumps(event).encode() + b"\n")
    assert all(event.fits for event in read_export(forged))

    code, said = desk.verify(forged, capsys)

    assert (code, "are not those of the checkpoint: the chain was rewritten" in said) == (1, True), said


def rehashed(event: dict[str, object]) -> str:
    """The hash that fits an event of an export, as an attacker computes it."""
    shown = json.loads(json.dumps(event))
    digests = {}
    for place, proof in (shown.get("personal") or {}).items():
        *way, last = place.split("/")[1:]
        holder = shown
        for part in way:
            holder = holder[part]
        digests[place], holder[last] = proof["digest"], None
    flat = {
        f"{part}_{name}": shown[part][name] for part in ("actor", "target") for name in ("type", "id", "name")
    }
    flat |= {name: shown[name] and canonical(shown[name]) for name in ("before", "after")}
    flat["personal"] = canonical(digests) if digests else None
    return event_hash({name: flat[name] if name in flat else shown[name] for name in FIELDS})


def test_a_changed_byte_anywhere_is_found(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    whole, dice = desk.file.read_bytes(), random.Random(5)
    for place in dice.sample(range(len(whole)), 60):
        other = whole[:place] + bytes([whole[place] ^ (1 << dice.randrange(7))]) + whole[place + 1 :]
        if parsed(other) != parsed(whole):
            desk.file.write_bytes(other)
            assert main(desk.words) == 1, place
    capsys.readouterr()


def parsed(data: bytes) -> object:
    try:
        return [json.loads(line) for line in data.splitlines()]
    except ValueError:
        return None


def test_a_checkpoint_that_the_key_did_not_sign_is_refused(
    desk: Desk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    note = desk.checkpoint.read_text()
    desk.checkpoint.write_text(note.replace(f"\n{desk.size}\n", f"\n{desk.size - 1}\n"))

    assert main(desk.words) == 1
    assert "was not signed with the key, or was altered" in capsys.readouterr().out
    assert "was not signed with the key" in desk.shell.refusal("audit", "verify", *desk.words)
    assert main([*desk.words[:-1], str(tmp_path / "none")]) == 2
    assert main([*desk.words[:-1], "no+key"]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_the_key_may_be_in_a_file_and_needs_the_checkpoint(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text(desk.key + "\n")
    words = [*desk.words[:-1], str(tmp_path / "key.txt")]

    assert desk.shell("audit", "verify", *words).exit_code == 0
    assert "Give --checkpoint and --key together" in desk.shell.refusal(
        "audit", "verify", "--key", desk.key, code=2
    )
    assert "Give --checkpoint and --key together" in desk.shell.refusal("audit", "verify", *words[:4], code=2)
    assert "No such file" in desk.shell.refusal("audit", "verify", *words[:-1], str(tmp_path / "none"))
    assert "is written name+id+key" in desk.shell.refusal("audit", "verify", *words[:-1], "")


def test_the_stored_trail_is_compared_with_a_checkpoint_too(desk: Desk, stage: Stage) -> None:
    words = desk.words[2:]
    said = desk.shell("audit", "verify", *words)
    assert (said.exit_code, "are those of the checkpoint" in said.stdout) == (0, True)
    assert desk.shell.json("audit", "verify", *words)["intact"] is True

    sqlite = [f"DROP TRIGGER trail_events_no_{what}" for what in ("update", "delete", "replace")]
    away = sqlite if stage.engine == "sqlite" else ["SET LOCAL session_replication_role = replica"]
    stage.execute(*away, f"DELETE FROM trail_events WHERE seq > {desk.size - 3}")
    assert desk.shell.json("audit", "verify")["intact"] is True
    found = desk.shell.json("audit", "verify", *words, code=1)["broken"]
    assert (
        found["problem"] == f"the checkpoint has {desk.size} events: the tail was cut after {desk.size - 3}"
    )
