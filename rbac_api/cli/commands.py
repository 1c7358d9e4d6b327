"""Lists the commands of ``rbac-api``, also available as ``flask rbac``.

Each command is loaded when it is used.
"""

from __future__ import annotations

from importlib import import_module

import click
from sqlalchemy.exc import DBAPIError

from rbac_api.cli.loading import without_collection
from rbac_api.cli.refusals import explained, one_line
from rbac_api.errors import ServiceError
from rbac_api.resources import release

COMMANDS = {
    "serve": "start:serve",
    "init": "setup:init",
    "adopt-issuer": "setup:adopt",
    "seed": "setup:seed",
    "create-admin": "accounts:create_admin",
    "recover-admin": "accounts:recover_admin",
    "can": "questions:can",
    "explain": "questions:explain",
    "who-can": "questions:who_can",
    "users": "people:users",
    "sessions": "people:sessions",
    "roles": "roles:roles",
    "assignments": "assignments:assignments",
    "policy": "policy:policy",
    "unused": "unused:unused",
    "audit": "trail:audit",
    "keys": "setup:keys",
    "openapi": "setup:openapi",
    "doctor": "doctor:doctor",
}


class OperatorGroup(click.Group):
    """Commands that report errors in one sentence with exit code 1; click uses 2 for a wrong command line."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Load and return the command of this name.

        Only this one is loaded: ``serve`` must set an environment variable before the metrics are imported.
        """
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        with without_collection():
            command: click.Command = getattr(import_module(f"rbac_api.cli.{module}"), attribute)
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ServiceError as fault:
            raise click.ClickException(explained(fault)) from fault
        except DBAPIError as fault:
            raise click.ClickException(
                f"The database reports: {one_line(fault.orig)}. Run `rbac-api doctor` to check everything."
            ) from fault


rbac = OperatorGroup("rbac", help="Set up, serve, inspect and repair this service.")
click.version_option(release(), message="rbac-api %(version)s")(rbac)
