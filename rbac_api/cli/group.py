"""Gives commands their application: the current one, or one made from the environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask import Flask, current_app, has_app_context

from rbac_api.cli.prepare import operator_unit
from rbac_api.database.engine import Database
from rbac_api.database.migrate import schema_problem
from rbac_api.factory import close_app, create_app
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.settings import Settings


def application() -> Flask:
    """Return the current application; without one, make it from the environment until the command ends.

    The database is not checked, because a command may set it up or examine it.
    """
    if not has_app_context():
        context, app = click.get_current_context(), create_app(check_database=False)
        context.call_on_close(lambda: close_app(app))
        context.with_resource(app.app_context())
    return current_app._get_current_object()  # type: ignore[attr-defined, no-any-return]


def parts() -> tuple[Settings, Database]:
    """Return the settings and the database of the application."""
    guard = application().extensions["rbac-api"]
    return guard.settings, guard.database


def ready_parts() -> tuple[Settings, Database]:
    """Return the settings and the database; an error if the schema is not the one that the code needs."""
    settings, database = parts()
    problem = schema_problem(database)
    if problem:
        raise click.ClickException(f"{problem[0].upper()}{problem[1:]}.")
    return settings, database


@contextmanager
def operating(*, writes: bool = False) -> Iterator[Clearance]:
    """Run one unit of work as the operator."""
    settings, database = ready_parts()
    with operator_unit(settings, database, writes=writes) as clearance:
        yield clearance
