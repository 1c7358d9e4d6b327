"""``flask rbac …``"""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup

from rbac_api.cli.prepare import application_parts, prepare

rbac = AppGroup("rbac", help="Run and repair this service.")


@rbac.command("init")
def init() -> None:
    """Migrate, put the built-in roles in place, make a key and the first administrator."""
    done = prepare(*application_parts(current_app._get_current_object()))  # type: ignore[attr-defined]
    for line in done.lines or ["Nothing to do: the database is ready."]:
        click.echo(line)
    if done.password:
        click.echo(f"Administrator: {done.username}, one-time password: {done.password}")
