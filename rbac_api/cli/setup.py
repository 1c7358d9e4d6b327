"""``rbac-api init``, ``adopt-issuer``, ``seed``, ``keys`` and ``openapi``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from rbac_api.capabilities.keys.service import get_key, list_keys, rotate_keys, withdraw_key
from rbac_api.capabilities.policy.service import Loaded, read_file
from rbac_api.capabilities.policy.service import seed as seed_document
from rbac_api.cli.group import application, operating, parts
from rbac_api.cli.output import json_option, print_items, print_json, progress, shown
from rbac_api.cli.prepare import adopt_issuer, prepare
from rbac_api.decision.document import Document

DOCUMENT = Path("openapi", "openapi.json")
_KEY_COLUMNS = ("kid", "algorithm", "state", "kept_in", "created_at", "signs_from", "verifies_until")


@click.command("init")
@json_option
def init(as_json: bool) -> None:
    """Migrate the schema; create built-in roles, signing key and first administrator.

    Safe to repeat, and to run on several nodes at once.
    """
    done = prepare(*parts())
    if as_json:
        print_json(asdict(done))
        return
    for warning in done.warnings:
        click.echo(f"Warning: {warning}", err=True)
    for line in done.lines or ["Nothing to do: the database is ready."]:
        click.echo(line)
    if done.password:
        click.echo(f"Administrator: {done.username}, one-time password: {done.password}")


@click.command("adopt-issuer")
def adopt() -> None:
    """Make this node's RBAC_ISSUER and RBAC_AUDIENCE those of all nodes.

    Nodes with other values are not ready until they are restarted with these. All sessions end, because
    earlier tokens are refused.
    """
    with operating(writes=True) as clearance:
        adopt_issuer(clearance)
        settings = clearance.settings
    click.echo(
        f"Issuer: {settings.issuer_url}, audience: {settings.audience}. Restart every node with these."
    )


@click.command("seed")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def seed(file: Path, as_json: bool) -> None:
    """Load FILE (YAML or JSON): add what is not in the database yet.

    Permissions, roles, constraints, users and assignments. Changes and removes nothing existing. The whole
    file is checked first, then written in steps: after an interruption, run it again and it adds the rest.
    """
    document = read_file(file)
    with operating(writes=True) as clearance, progress(_entries(document), "Loading") as step:
        loaded = seed_document(clearance, document, file.name, step)
    for note in loaded.notes:
        click.echo(note, err=True)
    if as_json:
        counts = asdict(loaded)
        counts.pop("notes")
        print_json(counts)
    else:
        click.echo(_sentence(loaded))


@click.group("keys")
def keys() -> None:
    """List, rotate and withdraw signing keys."""


@keys.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List keys: which one signs, which ones verify and until when."""
    with operating() as clearance:
        print_items(list_keys(clearance), _KEY_COLUMNS, as_json=as_json)


@keys.command("rotate")
@click.option("--emergency", is_flag=True, help="Sign with it at once, not only when every cache knows it.")
def rotate_keys_command(emergency: bool) -> None:
    """Publish a new signing key that signs in a few minutes; the previous one verifies until its last token
    expires.
    """
    with operating(writes=True) as clearance:
        key = get_key(clearance, rotate_keys(clearance, emergency=emergency))
    if emergency:
        click.echo(f"Active signing key: {key['kid']}")
    else:
        click.echo(f"Next signing key: {key['kid']}, signs from {shown(key['signs_from'])}")


@keys.command("withdraw", context_settings={"ignore_unknown_options": True})  # a name may begin with a hyphen
@click.argument("kid")
def withdraw(kid: str) -> None:
    """Withdraw KID: every token it signed is refused at once."""
    with operating(writes=True) as clearance:
        withdraw_key(clearance, kid)
    click.echo(f"Withdrawn: {kid}")


@click.command("openapi")
@click.option("--write", is_flag=True, help="Write it to openapi/openapi.json, below this folder, instead.")
def openapi(write: bool) -> None:
    """Print the OpenAPI document, as served at /openapi.json."""
    text = application().extensions["rbac-openapi"].text() + b"\n"
    if write:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_bytes(text)
    else:
        click.echo(text, nl=False)


def _entries(document: Document) -> int:
    parts = (document.permissions, document.roles, document.constraints, document.users, document.assignments)
    return sum(map(len, parts))


def _sentence(loaded: Loaded) -> str:
    if not loaded.total:
        return "Nothing to add: everything in the file already exists."
    return (
        f"Added {loaded.domains} domains, {loaded.permissions} permissions, {loaded.roles} roles,"
        f" {loaded.constraints} constraints, {loaded.users} people and {loaded.assignments} assignments."
    )
