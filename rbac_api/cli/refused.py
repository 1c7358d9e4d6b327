"""What the ``flask`` command finds when the settings are refused: an application that can do nothing but say why."""

from __future__ import annotations

from collections.abc import Callable

import click
from flask import Flask
from flask.cli import FlaskGroup

from rbac_api.cli.commands import rbac
from rbac_api.cli.prepare import REFUSAL
from rbac_api.errors import ServiceError


def explaining(make: Callable[[], Flask]) -> Flask:
    """``make()``; but where the ``flask`` command looks for its commands, a refusal becomes an application with only those.

    Flask prints a traceback when an application cannot be made, so that ``flask rbac doctor`` could never tell what is wrong.  Every
    server, ``flask run`` included, still gets the exception: it asks outside of the look-up of a command.
    """
    try:
        return make()
    except ServiceError as fault:
        context = click.get_current_context(silent=True)
        if context is None or not isinstance(context.command, FlaskGroup):
            raise
        return _silent_app(fault)


def _silent_app(fault: ServiceError) -> Flask:
    app = Flask("rbac_api", static_folder=None)
    app.extensions[REFUSAL] = fault
    app.cli.add_command(rbac)
    return app
