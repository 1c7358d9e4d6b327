"""The product with its promise of freshness taken out: the twin that the revocation tests must catch.

Run as a program it is `python app.py`, except that on PostgreSQL a writer does not wait for the other workers'
acknowledgement, and news takes its time; and on SQLite a worker looks only every tenth time whether anything was committed.
"""

import runpy
import time
from itertools import count
from pathlib import Path
from typing import Any

from rbac_api.database import freshness
from rbac_api.database.freshness import PostgresChangeDetector, SqliteChangeDetector

NEWS_SECONDS, LEASE_SECONDS = 1.0, 60.0  # so that no lease runs out before the news, however busy the machine
NOTHING_YET = -1
HONEST_LOOKS = 60  # while the stage is set
_version, _acknowledge = SqliteChangeDetector._version, PostgresChangeDetector._acknowledge
_asked, _seen = count(), [0]


def _seldom(gate: SqliteChangeDetector) -> int:
    number = next(_asked)
    if number < HONEST_LOOKS or number % 10 == 0:
        _seen[0] = _version(gate)
    return _seen[0]


def _late(gate: PostgresChangeDetector, *given: Any) -> None:
    if gate._newest not in (given[-1], NOTHING_YET):  # until it has acknowledged once, a worker has no lease
        time.sleep(NEWS_SECONDS)
    _acknowledge(gate, *given)


if __name__ == "__main__":
    PostgresChangeDetector._await_followers = lambda *_: None  # type: ignore[method-assign]
    freshness.LEASE_SECONDS = LEASE_SECONDS
    PostgresChangeDetector._acknowledge = _late  # type: ignore[method-assign]
    SqliteChangeDetector._version = _seldom  # type: ignore[method-assign]
    setattr(freshness, "shared_index", lambda _path: None)  # noqa: B010 -- so that it is the gate that is asked
    runpy.run_path(str(Path(__file__).resolve().parents[2] / "app.py"), run_name="__main__")
