"""The service as outsiders meet it: a process of its own, on an empty database, with the example company in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.places import server_folder
from tests.servers.service import SETTINGS, Service

ROOT = Path(__file__).parents[2]
ADMIN = "alice"
# As `python app.py`, but for the price of a hash: no test here is about that, and fuzzing signs in often.
CHEAP = """
from dataclasses import replace
from rbac_api import Settings, create_app
from rbac_api.cli.serve import serve
serve(create_app, replace(Settings.from_environment(), password_cost=4))
"""


@contextmanager
def running_service(database_url: str, **settings: str) -> Iterator[str]:
    """Its address, while it runs; Alice is its first administrator, with the password of the cast."""
    own = {
        "RBAC_DATABASE_URL": database_url,
        "RBAC_ADMIN_USERNAME": ADMIN,
        "RBAC_SEED_EXAMPLE": "on",
        "RBAC_WORKERS": "1",
    }
    folder = server_folder("outside")
    service = Service(
        folder,
        {**SETTINGS, "PYTHONPATH": str(ROOT), "RBAC_DATA_DIR": str(folder), **own, **settings},
        "-c",
        CHEAP,
    )
    try:
        service.start()
        yield f"http://127.0.0.1:{service.port}"
    finally:
        service.end()
