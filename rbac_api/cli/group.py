"""How a command reaches the service: the application that is current, or one made of the environment for the length of the command."""

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
    """The current application; without one, it is made of the environment and stays current until the command ends.

    Nothing is required of its database, which a command may be about to set up or to examine.
    """
    if not has_app_context():
        context, app = click.get_current_context(), create_app(check_database=False)
        context.call_on_close(lambda: close_app(app))
        context.with_resource(app.app_context())
    return current_app._get_current_object()  # type: ignore[attr-defined, no-any-return]


def parts() -> tuple[Settings, Database]:
    """The settings and the database of the application."""
    guard = application().extensions["rbac-api"]
    return guard.settings, guard.database


def ready_parts() -> tuple[Settings, Database]:
    """The same, if the schema is the code's."""
    settings, database = parts()
    problem = schema_problem(database)
    if problem:
        raise click.ClickException(f"{problem[0].upper()}{problem[1:]}.")
    return settings, database


@contextmanager
def operating(*, writes: bool = False) -> Iterator[Clearance]:
    """One unit of work as the operator."""
    settings, database = ready_parts()
    with operator_unit(settings, database, writes=writes) as clearance:
        yield clearance
