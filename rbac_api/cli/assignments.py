"""``rbac-api assignments import``: assigns roles from a CSV file."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import click

from rbac_api.capabilities.policy.service import import_assignments
from rbac_api.cli.csv_file import Cells, Columns, rows_of, text_of
from rbac_api.cli.group import operating
from rbac_api.cli.output import json_option, print_json, progress

COLUMNS = Columns(
    known=("user", "role", "domain", "reason", "starts_at", "expires_at", "mode", "max_duration"),
    required=("user", "role"),
)
_SPACED = re.compile(r"(\d{4}-\d{2}-\d{2}) +(\d{2}:\d{2}:\d{2}.*)", re.ASCII)


@click.group("assignments")
def assignments() -> None:
    """Import role assignments."""


@assignments.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check everything, import nothing.")
@click.option(
    "--encoding",
    help="Encoding of the file, such as cp1250. Default: UTF-8, UTF-16 or Windows-1252, as detected.",
)
@json_option
def import_(file: Path, dry_run: bool, encoding: str | None, as_json: bool) -> None:
    """Assign the roles listed in FILE: all of them, or none.

    FILE is CSV with the columns user (a username, an e-mail address or an id) and role, and any of domain
    (root if empty), reason, starts_at, expires_at, mode and max_duration, separated by commas, semicolons or
    tabs. Every invalid row is reported with its line.
    """
    try:
        text, note = text_of(file.read_bytes(), encoding)
    except OSError as fault:
        raise click.ClickException(f"{file} cannot be read: {fault.strerror}.") from fault
    if note:
        click.echo(note, err=True)
    rows = ((line, _entry(cells)) for line, cells in rows_of(text, COLUMNS))
    with operating(writes=True) as clearance, progress(text.count("\n"), "Importing") as step:
        done = import_assignments(clearance, rows, dry_run=dry_run, progress=step)
    if as_json:
        print_json({**asdict(done), "dry_run": dry_run})
        return
    counts = f"{done.created} assigned, {done.changed} changed, {done.unchanged} unchanged"
    click.echo(f"Would be imported: {counts}." if dry_run else f"Imported: {counts}.")


def _entry(cells: Cells) -> dict[str, object]:
    """Convert a row to an entry of a policy document.

    Spreadsheets write times, modes and numbers in other forms.
    """
    entry: dict[str, object] = dict(cells)
    for name in {"starts_at", "expires_at"} & cells.keys():
        entry[name] = _SPACED.sub(r"\1T\2", cells[name])
    if "mode" in cells:
        entry["mode"] = cells["mode"].casefold()
    length = cells.get("max_duration", "")
    if length.isascii() and length.isdigit() and len(length) < 10:
        entry["max_duration"] = int(length)
    return entry
