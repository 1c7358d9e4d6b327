"""Names and addresses cannot forge a line of the log, a cell of a spreadsheet or an order to a terminal."""

from __future__ import annotations

import csv
import io
import json
from urllib.parse import quote

import pytest
import structlog

from rbac_api.capabilities.audit.service import SHEET
from rbac_api.formats.http_errors import Unexpected
from rbac_api.formats.sheets import defused
from rbac_api.observability.logs import MAX_PATH_LENGTH, configure_logs, log
from rbac_api.trail.recorder import OPERATOR, Target, record
from tests.builders import Stage
from tests.cast import CAROL, DAVE

NASTY = (
    "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1+1", "＠x",
    'a"b,c', "two\r\nlines", "\x1b[31mred\x1b[0m", "\x9b31m", "next\x85line", "line\u2028separator", "\u202egnp.exe", "\x00", "\x7f",
)  # fmt: skip
FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")


def write_nasty(stage: Stage) -> list[str]:
    """Names as they would be after somebody got past every check at the door."""
    storable = [name for name in NASTY if "\x00" not in name]
    with stage.database.writing() as connection:
        for name in storable:
            record(
                connection,
                OPERATOR,
                "user.updated",
                Target("user", name, name),
                reason=name,
                after={name: name},
            )
    return storable


def test_no_cell_of_carols_export_is_a_formula_or_an_order_to_her_terminal(stage: Stage) -> None:
    written, carol = write_nasty(stage), stage.as_(CAROL)

    text = carol.get("/v1/audit/events", headers={"Accept": "text/csv"}).get_data(as_text=True)

    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len(rows) == len(text.splitlines()) == text.count("\r\n")
    assert rows[0] == list(SHEET.columns)
    assert {len(row) for row in rows} == {len(SHEET.columns)}
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.lstrip().startswith(FORMULAS) or not cell.isprintable()]
    assert len(written) == sum(row[SHEET.columns.index("action")] == "user.updated" for row in rows)


def test_the_other_form_keeps_every_character_and_one_line_per_event(stage: Stage) -> None:
    written, carol = write_nasty(stage), stage.as_(CAROL)

    body = carol.get("/v1/audit/events", headers={"Accept": "application/x-ndjson"}).get_data()

    events = [json.loads(line) for line in body.split(b"\n") if line]
    assert [event["target"]["name"] for event in events if event["action"] == "user.updated"] == written
    assert body.count(b"\n") == len(events)


@pytest.mark.parametrize("name", NASTY)
def test_a_log_line_stays_one_line(name: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    configure_logs("info")

    log.warning("user.named", username=name, detail=name)
    log.error("it.failed", exc_info=ValueError(name))

    err = capfdbinary.readouterr().err
    assert err.isascii()
    assert b"\x1b" not in err
    lines = err.decode().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["user.named", "it.failed"]
    assert json.loads(lines[0])["username"] == name


@pytest.mark.parametrize("name", [name for name in NASTY if name != "\x00"])
def test_a_request_is_one_line_whatever_its_address(
    stage: Stage, name: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    dave = stage.as_(DAVE)
    monkeypatch.setattr(stage.app.wsgi_app, "_logs", True)
    capfdbinary.readouterr()

    dave.get(f"/v1/roles/{quote(name + 'x' * 6000)}", headers={"X-Request-ID": "evil\tid"})

    lines = capfdbinary.readouterr().err.decode("ascii").splitlines()
    told = [json.loads(line) for line in lines]
    assert [line["event"] for line in told] == ["request.answered"]
    assert told[0]["path"].startswith(f"/v1/roles/{name}")
    assert len(told[0]["path"]) == MAX_PATH_LENGTH
    assert len(lines[0]) < 4096, "more would not be written in one piece to a pipe that workers share"


def test_an_unexpected_failure_is_logged_on_one_line_and_told_to_nobody(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    configure_logs("info")

    try:
        raise RuntimeError("hash $2b$12$abc\nin table users")
    except RuntimeError as fault:
        structlog.get_logger("rbac_api").error("request.failed", exc_info=fault)

    lines = capfdbinary.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "RuntimeError" in json.loads(lines[0])["exception"]
    assert "table" not in Unexpected.default_detail


def test_a_number_a_word_and_nothing_are_cells_as_they_are() -> None:
    assert [defused(cell) for cell in (7, "carol", None, "Ærøskøbing", "a-b")] == [
        "7",
        "carol",
        "",
        "Ærøskøbing",
        "a-b",
    ]
