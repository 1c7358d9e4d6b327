"""The service as outsiders meet it: a process of its own, on an empty database, with the example company in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import cheap
from tests.servers.places import server_folder
from tests.servers.service import SETTINGS, Service

ROOT = Path(__file__).parents[2]
ADMIN = "alice"
CHEAP = Path(cheap.__file__)


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
    places = {"PYTHONPATH": str(ROOT), "RBAC_DATA_DIR": str(folder), "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    service = Service(folder, {**SETTINGS, **places, **own, **settings}, str(CHEAP), warm=True)
    try:
        service.start()
        yield f"http://127.0.0.1:{service.port}"
    finally:
        service.end()
