"""``flask rbac assignments import``: who has which role, from a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import click
from flask.cli import with_appcontext

from rbac_api.capabilities.policy.service import ImportRefused, import_assignments
from rbac_api.cli.group import operating
from rbac_api.cli.output import json_option, print_json, progress

COLUMNS = ("user", "role", "reason", "starts_at", "expires_at", "mode", "max_duration")
REQUIRED = ("user", "role")


@click.group("assignments")
def assignments() -> None:
    """Import role assignments."""


@assignments.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check everything, import nothing.")
@json_option
@with_appcontext
def import_(file: Path, dry_run: bool, as_json: bool) -> None:
    """Assign the roles listed in FILE: all or none.

    FILE is CSV in UTF-8 with the columns user and role, and any of reason, starts_at, expires_at, mode and max_duration. Every row that is
    wrong is named by its line.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            lines = sum(1 for _ in opened) - 1
            opened.seek(0)
            with operating(writes=True) as clearance, progress(max(lines, 0), "Importing") as step:
                done = import_assignments(clearance, _rows(opened), dry_run=dry_run, progress=step)
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise click.ClickException(f"{file} cannot be read: {type(fault).__name__}.") from fault
    if as_json:
        print_json({**asdict(done), "dry_run": dry_run})
        return
    told = f"{done.created} assigned, {done.changed} changed, {done.unchanged} unchanged"
    click.echo(f"Would be imported: {told}." if dry_run else f"Imported: {told}.")


def _rows(file: IO[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row with its line; an empty cell says nothing."""
    reader = csv.reader(file, strict=True)
    header = next(reader, [])
    _require_columns(header)
    for cells in reader:
        if cells:
            yield reader.line_num, _entry(header, cells)


def _require_columns(header: list[str]) -> None:
    faults = [f"the column {name} is missing" for name in REQUIRED if name not in header]
    faults += [f"the column {name[:64]!r} is unknown" for name in header if name not in COLUMNS]
    faults += ["a column comes twice"] if len(set(header)) < len(header) else []
    if faults:
        raise ImportRefused([(1, fault) for fault in faults], len(faults))


def _entry(header: list[str], cells: list[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {name: cell for name, cell in zip(header, cells, strict=False) if cell.strip()}
    if len(cells) > len(header):
        entry["a cell beyond the last column"] = cells[len(header)]
    length = entry.get("max_duration", "")
    if length.isascii() and length.isdigit() and len(length) < 10:
        entry["max_duration"] = int(length)
    return entry
