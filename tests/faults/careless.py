"""The product with its promise of freshness taken out: the twin that the revocation tests must catch.

Run as a program it is `python app.py`, except that on PostgreSQL a writer does not wait for the other workers'
acknowledgement, and on SQLite a worker looks only ten times a second whether anything was committed.
"""

import runpy
import time
from pathlib import Path
from typing import Any

from rbac_api.database import freshness
from rbac_api.database.freshness import PostgresGate, SqliteGate

_version = SqliteGate._version
_looked: dict[int, tuple[float, Any]] = {}


def _seldom(gate: SqliteGate) -> Any:
    at, version = _looked.get(id(gate), (0.0, None))
    if time.monotonic() - at > 0.1:
        at, version = _looked[id(gate)] = time.monotonic(), _version(gate)
    return version


if __name__ == "__main__":
    PostgresGate._await_followers = lambda *_: None  # type: ignore[method-assign]
    SqliteGate._version = _seldom  # type: ignore[method-assign]
    setattr(freshness, "shared_index", lambda _path: None)  # noqa: B010 -- so that it is the gate that is asked
    runpy.run_path(str(Path(__file__).resolve().parents[2] / "app.py"), run_name="__main__")
