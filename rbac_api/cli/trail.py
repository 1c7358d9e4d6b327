"""``rbac-api audit verify`` and ``rbac-api audit export``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, get_args

import click

from rbac_api.capabilities.audit.service import count_events, export_events, trail_length, verify_trail
from rbac_api.cli.group import operating, ready_parts
from rbac_api.cli.output import json_option, print_json, progress
from rbac_api.formats.sheets import CHUNK, Form
from rbac_api.trail.chain import Unreadable, Verdict, verify_export
from rbac_api.trail.events import CATALOGUE


class Noted(click.ParamType[tuple[int, str]]):
    """``SEQ:HASH``, as ``verify`` prints it."""

    name = "SEQ:HASH"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, str]:
        seq, _, digest = str(value).partition(":")
        if not (seq.isascii() and seq.isdigit() and int(seq) > 0 and _is_digest(digest)):
            self.fail(f"{value!r} is not a number, a colon and 64 hexadecimal digits", param, ctx)
        return int(seq), digest


class MomentType(click.ParamType[datetime]):
    """A time in RFC 3339, or its beginning; UTC if it has no offset."""

    name = "MOMENT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = datetime.fromisoformat(str(value))
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a time; write 2026-11-22 or 2026-11-22T17:34:00Z", param, ctx)


@click.group("audit")
def audit() -> None:
    """Verify and export the audit trail."""


@audit.command("verify")
@click.option("--expect", type=Noted(), multiple=True, help="An event noted earlier; may be repeated.")
@click.option("--file", "export", type=click.File("rb"), help="An export in NDJSON; no database is needed.")
@json_option
@click.pass_context
def verify(
    context: click.Context, expect: tuple[tuple[int, str], ...], export: BinaryIO | None, as_json: bool
) -> None:
    """Verify the hash chain and report the first broken event.

    Exit code 0 if the chain is intact, 1 if not. Removed events at the end do not break the chain. To detect
    this, store the printed SEQ:HASH elsewhere, and give it with --expect next time.
    """
    noted = _by_number(expect)
    first, verdict = (1, _verify_stored(noted)) if export is None else _verify_file(export, noted)
    if as_json:
        print_json(_report(verdict))
    else:
        click.echo(_sentences(verdict, bool(expect), first))
    context.exit(0 if verdict.problem is None else 1)


def _verify_stored(noted: dict[int, str]) -> Verdict:
    _, database = ready_parts()
    with progress(trail_length(database), "Verifying") as step:
        return verify_trail(database, noted, lambda _seq: step(1))


def _verify_file(export: BinaryIO, noted: dict[int, str]) -> tuple[int, Verdict]:
    try:
        return verify_export(export, noted)
    except Unreadable as fault:
        raise click.ClickException(
            f"{export.name}: {fault}. Export the trail again with `rbac-api audit export` or GET "
            "/v1/audit/events and"
            " Accept: application/x-ndjson, without filters; a CSV export cannot be verified."
        ) from fault


@audit.command("export")
@click.option("--format", "form", type=click.Choice(get_args(Form)), default="ndjson", show_default=True)
@click.option("--after", type=MomentType(), help="Only events later than this.")
@click.option("--before", type=MomentType(), help="Only events earlier than this.")
@click.option(
    "--action",
    type=click.Choice(sorted(CATALOGUE)),
    metavar="ACTION",
    multiple=True,
    help="Such as role.created; may be repeated.",
)
@click.option("--actor", help="Id, or name at the time.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file (mode 0600).")
def export(form: Form, output: Path | None, **filters: object) -> None:
    """Export the trail, oldest first, as CSV or NDJSON. The export itself is recorded."""
    wanted = {name: value for name, value in filters.items() if value not in (None, ())}
    with operating() as clearance:
        stream = export_events(clearance, wanted, form)
        with _destination(output) as file:
            _copy(stream, file, count_events(clearance, wanted) if output else 0)


def _copy(stream: Iterable[bytes], file: BinaryIO, events: int) -> None:
    if not events:
        file.writelines(stream)
        return
    with progress(events, "Exporting") as step:
        for chunk in stream:
            file.write(chunk)
            step(CHUNK)


def _destination(output: Path | None) -> AbstractContextManager[BinaryIO]:
    if output is None:
        return nullcontext(sys.stdout.buffer)
    try:
        return os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as fault:
        raise click.ClickException(f"{output} cannot be written: {fault.strerror}.") from fault


def _by_number(expect: Iterable[tuple[int, str]]) -> dict[int, str]:
    noted: dict[int, str] = {}
    for seq, digest in expect:
        if noted.setdefault(seq, digest) != digest:
            raise click.BadParameter(f"event {seq} is given with two different hashes", param_hint="--expect")
    return noted


def _report(verdict: Verdict) -> dict[str, object]:
    broken = {"seq": verdict.broken_seq, "problem": verdict.problem} if verdict.problem else None
    last = {"seq": verdict.seq, "hash": verdict.hash}
    return {"intact": broken is None, "checked": verdict.checked, "last": last, "broken": broken}


def _sentences(verdict: Verdict, compared: bool, first: int) -> str:
    last = f"{verdict.seq}:{verdict.hash}"
    if verdict.problem:
        return f"BROKEN at event {verdict.broken_seq}: {verdict.problem}.\nLast good event: {last}"
    lines = [
        f"Intact: {verdict.checked} events, each with a valid hash and linked to the previous one.",
        f"Last event: {last}",
    ]
    if first > 1:
        lines.append(
            f"The first is event {first}: what was before it is not in the file and was not verified."
        )
    if compared:
        lines.append("Every event given with --expect is present and unchanged.")
    else:
        lines.append(
            "Truncation at the end cannot be detected from the chain alone. Store the last event elsewhere"
        )
        lines.append(f"and check it later: rbac-api audit verify --expect {last}")
    return "\n".join(lines)


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
