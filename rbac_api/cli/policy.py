"""``rbac-api policy export|plan|apply|drift|revert``: reads and changes the policy as one file.

Exit codes: 0 in sync (or done), 2 differs, 1 error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import Any

import click
import orjson

from rbac_api.capabilities.policy.errors import PolicyNotRevertible
from rbac_api.capabilities.policy.service import (
    USED_WITHIN_DAYS,
    UseCheck,
    apply_policy,
    export_policy,
    find_drift,
    in_domain,
    plan_policy,
    plan_revert,
    read_file,
    revert_policy,
)
from rbac_api.cli.group import operating
from rbac_api.cli.output import json_text, print_json, shown
from rbac_api.cli.plan_text import colours, drift_lines, is_empty, is_refused, plan_lines
from rbac_api.decision.document import Document
from rbac_api.decision.model import ROOT
from rbac_api.errors import listed
from rbac_api.formats.strict_yaml import yaml_text
from rbac_api.guard.enforcement.clearance import Clearance

FILE = click.option(
    "--file",
    "-f",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="A policy: YAML or JSON; - reads standard input.",
)
YES = click.option("--yes", is_flag=True, help="Do not ask.")
PRUNE = click.option(
    "--prune",
    is_flag=True,
    help="Remove what the file does not list, within the sections it contains; never built-in entries.",
)
FORMS = ("text", "json", "yaml")
FORM = click.option(
    "--format", "form", type=click.Choice(FORMS), default="text", show_default=True, help="Of the plan."
)
USED_WITHIN = click.option(
    "--used-within",
    type=click.IntRange(1, 3650),
    default=USED_WITHIN_DAYS,
    show_default=True,
    help="Days in which a use counts.",
)
DOMAIN = click.option(
    "--domain",
    default=ROOT,
    metavar="NAME",
    help="Only what is in this domain; everything outside it stays as it is.",
)
DIFFERS = 2


class SyncGroup(click.Group):
    """Commands whose exit code 2 has a meaning, so that a wrong command line is 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except click.UsageError as fault:
            raise click.ClickException(f"{fault.format_message()} Try --help.") from fault


@click.group("policy", cls=SyncGroup)
def policy() -> None:
    """Permissions, roles, constraints and assignments as one file."""


@policy.command("export")
@click.option("--file", "-f", "path", type=click.Path(path_type=Path), help="Write to this file instead.")
@click.option("--format", "form", type=click.Choice(("yaml", "json")), default="yaml", show_default=True)
@DOMAIN
def export(path: Path | None, form: str, domain: str) -> None:
    """Print the policy as one sorted document, without built-in entries and secrets."""
    with _operating(domain) as clearance:
        _, file = export_policy(clearance, yaml=form == "yaml", indent=True)
    with file:
        if path is None:
            copyfileobj(file, sys.stdout.buffer)
            return
        try:
            with path.open("wb") as target:
                copyfileobj(file, target)
        except OSError as fault:
            raise click.ClickException(f"{path} cannot be written: {fault.strerror}.") from fault


@policy.command("plan")
@FILE
@PRUNE
@USED_WITHIN
@DOMAIN
@FORM
@click.pass_context
def plan(context: click.Context, /, path: Path, form: str, **how: Any) -> None:
    """Show what applying the file would change, and change nothing.

    Exit code 0 if nothing would change, 2 if something would, 1 on an error.
    """
    found = _planned(_read(path), **how)
    _show(found, form)
    context.exit(0 if is_empty(found) else DIFFERS)


@policy.command("drift")
@FILE
@click.option(
    "--prune", is_flag=True, hidden=True, expose_value=False
)  # drift always compares both directions
@DOMAIN
@FORM
@click.pass_context
def drift(context: click.Context, path: Path, domain: str, form: str) -> None:
    """Show where the database differs from the file; for pipelines.

    + is only in the file, - only in the database, ~ differs. Sections that the file does not contain are not
    compared. Exit code 0 if in sync, 2 if different, 1 on an error.
    """
    with _operating(domain) as clearance:
        found = find_drift(clearance, _read(path))
    if form == "text":
        for line in drift_lines(found, colours(sys.stdout)):
            click.echo(line, color=True)
    else:
        _print_as(found, form)
    context.exit(0 if is_empty(found) else DIFFERS)


@policy.command("apply")
@FILE
@PRUNE
@USED_WITHIN
@click.option("--even-if-used", is_flag=True, help="Apply it although it takes away what was used lately.")
@YES
@DOMAIN
@FORM
def apply(path: Path, prune: bool, yes: bool, domain: str, form: str, **uses: Any) -> None:
    """Show the plan, ask for confirmation, and apply it: all or nothing.

    Refused, with exit code 1, if any step is refused, if it takes away permissions that were used lately, or
    if the policy has changed since the plan was shown.
    """
    document, check = _read(path), UseCheck(uses["used_within"], uses["even_if_used"])
    found = _planned(document, domain=domain, prune=prune, used_within=check.days)
    if form == "text" or is_refused(found):
        _show(found, form)
    if is_refused(found):
        click.get_current_context().exit(1)
    _require_unused(found, check)
    if is_empty(found):
        if form != "text":
            _print_as(found, form)
        return
    if not yes:
        click.confirm("Apply this plan?", abort=True, err=form != "text")
    with _operating(domain, writes=True) as clearance:
        done = apply_policy(clearance, document, prune=prune, uses=check)
        if done["hash"] != found["hash"]:
            raise click.ClickException(
                "The policy has changed since this plan; nothing was applied. Plan again."
            )
    if form == "text":
        click.echo(f"Applied: {done['summary']}.  To undo it: rbac-api policy revert {done['seq']}")
    else:
        _print_as(done, form)


@policy.command("revert")
@click.argument("seq", type=click.IntRange(min=1))
@YES
@DOMAIN
@FORM
def revert(seq: int, yes: bool, domain: str, form: str) -> None:
    """Show what reverting the policy applied as SEQ would change, ask, and revert it: all or nothing.

    Refused, with exit code 1, if an entry that it changed has been changed again since.
    """
    try:
        with _operating(domain) as clearance:
            found = plan_revert(clearance, seq)
        if form == "text":
            _show(found, form)
        if not yes:
            click.confirm("Revert?", abort=True, err=form != "text")
        with _operating(domain, writes=True) as clearance:
            done = revert_policy(clearance, seq)
    except PolicyNotRevertible as refusal:
        lines = listed([shown(each) for each in refusal.members["changed"]], refusal.members["total"])
        changed = "".join(f"\n  {line}" for line in lines)
        raise click.ClickException(f"{refusal.detail}{changed}") from refusal
    if form == "text":
        click.echo(f"Reverted: {done['summary']}.")
    else:
        _print_as(done, form)


def _read(path: Path) -> Document:
    return read_file(Path("/dev/stdin") if str(path) == "-" else path)


@contextmanager
def _operating(domain: str, *, writes: bool = False) -> Iterator[Clearance]:
    with operating(writes=writes) as clearance:
        yield in_domain(clearance, domain)


def _planned(document: Document, *, domain: str, prune: bool, used_within: int) -> dict[str, object]:
    with _operating(domain) as clearance:
        return plan_policy(clearance, document, prune=prune, used_within=used_within)


def _require_unused(found: dict[str, object], check: UseCheck) -> None:
    if found["in_use"] and not check.even_if_used:
        raise click.ClickException(
            f"This takes away permissions that were used in the last {check.days} days; nothing was applied. "
            "Leave them in the file, or add --even-if-used."
        )


def _show(found: dict[str, object], form: str) -> None:
    if form != "text":
        _print_as(found, form)
        return
    for line in plan_lines(found, colours(sys.stdout)):
        click.echo(line, color=True)  # the colours are decided already


def _print_as(value: object, form: str) -> None:
    if form == "json":
        print_json(value)
    else:
        click.echo(yaml_text(orjson.loads(json_text(value))), nl=False)
