"""``rbac-api serve``: makes the folder for the workers' shared metrics, then loads and starts the server."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

import click

from rbac_api.cli.loading import without_collection
from rbac_api.environment import add, present_environment

FIGURES = "PROMETHEUS_MULTIPROC_DIR"


@click.command("serve")
@click.option("--host", help="Address to listen on; replaces HOST.")
@click.option("--port", help="Port to listen on; replaces PORT.")
def serve(host: str | None, port: str | None) -> None:
    """Set up the database as `init` does, then serve until stopped."""
    start(**{name: text for name, text in (("HOST", host), ("PORT", port)) if text is not None})


def start(**given: str) -> None:
    """Serve with the settings of the environment and the given ones."""
    for name, text in given.items():
        add(name, text)
    if FIGURES not in present_environment():
        _share_figures()  # before the imports: prometheus-client reads this once, when it is first imported
    with without_collection():
        from rbac_api.cli.serve import serve as serve_app
        from rbac_api.factory import create_app

    serve_app(create_app)


def _share_figures() -> None:
    """Make a folder for the workers' shared metrics that lives as long as this process."""
    folder = tempfile.mkdtemp(prefix="rbac-figures-")
    add(FIGURES, folder)
    atexit.register(remove, folder, os.getpid())


def remove(folder: str, owner: int) -> None:
    """Remove the folder, in the process that made it. A worker inherits this function, and ends earlier."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
