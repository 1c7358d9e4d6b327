"""``rbac-api audit verify`` and ``rbac-api audit export``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, get_args

import click

from rbac_api.capabilities.audit import evidence
from rbac_api.capabilities.audit.service import count_events, export_events, trail_length, verify_trail
from rbac_api.cli.group import operating, ready_parts
from rbac_api.cli.output import json_option, print_json, progress
from rbac_api.formats.sheets import CHUNK, Form
from rbac_api.trail.chain import Unreadable, Verdict, verify_export
from rbac_api.trail.events import CATALOGUE
from rbac_verifier.audit import describe, read_checkpoint
from rbac_verifier.notes import BadNote, Checkpoint


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
@click.option("--checkpoint", "note", type=click.Path(), help="The file of a checkpoint; needs --key.")
@click.option("--key", help="The verification key of the checkpoint, or a file with it.")
@json_option
@click.pass_context
def verify(context: click.Context, /, as_json: bool, **given: Any) -> None:
    """Verify the hash chain and report the first broken event.

    Exit code 0 if the chain is intact, 1 if not. Removed events at the end do not break the chain. To detect
    this, keep a checkpoint elsewhere and give it with --checkpoint, or the printed SEQ:HASH with --expect.
    """
    noted, checkpoint = _by_number(given["expect"]), _checkpoint(given["note"], given["key"])
    first, verdict = (
        (1, _verify_stored(noted, checkpoint))
        if given["export"] is None
        else _verify_file(given["export"], noted, checkpoint)
    )
    if as_json:
        print_json(_report(verdict))
    else:
        click.echo("\n".join([describe(verdict, first, checkpoint), *_advice(verdict, noted, checkpoint)]))
    context.exit(0 if verdict.problem is None else 1)


@audit.command("checkpoint")
def print_checkpoint() -> None:
    """Print a checkpoint: the number of events and the root of their tree, signed."""
    with operating() as clearance:
        click.echo(evidence.checkpoint(clearance), nl=False)


@audit.command("key")
def print_key() -> None:
    """Print the verification key of checkpoints. Give it to auditors on another way than checkpoints."""
    settings, _ = ready_parts()
    click.echo(evidence.verification_key(settings))


def _checkpoint(file: str | None, key: str | None) -> Checkpoint | None:
    if file is None or key is None:
        if file or key:
            raise click.UsageError("Give --checkpoint and --key together: the key verifies the checkpoint.")
        return None
    try:
        return read_checkpoint(file, key)
    except (BadNote, UnicodeDecodeError) as fault:
        raise click.ClickException(f"{file}: {fault}.") from fault
    except OSError as fault:
        raise click.ClickException(f"{fault.filename}: {fault.strerror}.") from fault


def _verify_stored(noted: dict[int, str], checkpoint: Checkpoint | None) -> Verdict:
    _, database = ready_parts()
    with progress(trail_length(database), "Verifying") as step:
        return verify_trail(database, noted, lambda _seq: step(1), checkpoint)


def _verify_file(
    export: BinaryIO, noted: dict[int, str], checkpoint: Checkpoint | None
) -> tuple[int, Verdict]:
    try:
        return verify_export(export, noted, checkpoint)
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
            fault = f"event {seq} has two different hashes; give one for each event"
            raise click.BadParameter(fault, param_hint="--expect")
    return noted


def _report(verdict: Verdict) -> dict[str, object]:
    broken = {"seq": verdict.broken_seq, "problem": verdict.problem} if verdict.problem else None
    last = {"seq": verdict.seq, "hash": verdict.hash}
    return {"intact": broken is None, "checked": verdict.checked, "last": last, "broken": broken}


def _advice(verdict: Verdict, noted: dict[int, str], checkpoint: Checkpoint | None) -> list[str]:
    if verdict.problem:
        return []
    if noted:
        return ["Every event given with --expect is present and unchanged."]
    if checkpoint is not None:
        return []
    return [
        "Truncation at the end cannot be detected from the chain alone. Store the last event elsewhere",
        f"and check it later: rbac-api audit verify --expect {verdict.seq}:{verdict.hash}",
    ]


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
