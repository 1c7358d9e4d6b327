"""How every command of ``flask rbac`` reaches the service, and how it fails: one paragraph on standard error, never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy.exc import DBAPIError

from rbac_api.cli.prepare import application_parts, operator_unit
from rbac_api.database.constraints import DatabaseDown
from rbac_api.database.engine import Database
from rbac_api.database.migrate import schema_problem
from rbac_api.errors import Invalid, ServiceError, listed
from rbac_api.guard.clearance import Clearance
from rbac_api.settings import Settings


class OperatorGroup(AppGroup):
    """Commands whose refusals become exit code 1 and a sentence (2, from click itself, is for a wrong command line)."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ServiceError as fault:
            raise click.ClickException(explained(fault)) from fault
        except DBAPIError as fault:
            raise click.ClickException(
                f"The database reports: {_one_line(fault.orig)}. Run `flask rbac doctor` to check everything."
            ) from fault


def parts() -> tuple[Settings, Database]:
    """The settings and the database of the application that the ``flask`` command found."""
    return application_parts(current_app._get_current_object())  # type: ignore[attr-defined]


def ready_parts() -> tuple[Settings, Database]:
    """The same, if the schema is the code's; the ``flask`` command starts without looking, so each command looks."""
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


def explained(fault: ServiceError) -> str:
    """A refusal in words for whoever owns the machine: to her the database's own words may be told."""
    if isinstance(fault, Invalid) and fault.faults:
        return "\n".join(listed([each.detail for each in fault.faults], fault.total))
    if isinstance(fault, DatabaseDown):
        return (
            f"The database does not answer; nothing was changed. It says: {_one_line(fault.internal)}."
            " Check RBAC_DATABASE_URL and that the server runs, then run `flask rbac doctor` to check everything."
        )
    return fault.detail


def _one_line(text: object) -> str:
    return " ".join(str(text).split()).rstrip(".")
