"""The WAL index read as memory must say what SQLite itself says: this pins the file format that `wal_index` relies on."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rbac_api.database import wal_index
from rbac_api.database.wal_index import HEADER, shared_index

COMMIT = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for line in sys.stdin:
    connection.execute("INSERT INTO notes VALUES (1)")
    print("committed", flush=True)
"""


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """A connection that has read, so that the index exists and stays; with room for it, however many tests ran before."""
    monkeypatch.setattr(wal_index, "MAX_DATABASES", len(wal_index._OPEN) + 1)
    connection = sqlite3.connect(tmp_path / "wal.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE notes (id INTEGER)")
    yield connection
    connection.close()


@pytest.mark.outside
def test_every_commit_of_another_process_shows_before_it_is_answered(
    held: sqlite3.Connection, tmp_path: Path
) -> None:
    path = str(tmp_path / "wal.db")
    index = shared_index(path)
    assert index is not None
    other = subprocess.Popen(
        [sys.executable, "-c", COMMIT, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdin is not None
        assert other.stdout is not None
        for _ in range(300):
            before, version = index[:HEADER], held.execute("PRAGMA data_version").fetchone()
            print("go", file=other.stdin, flush=True)
            assert other.stdout.readline() == "committed\n"
            assert index[:HEADER] != before
            assert held.execute("PRAGMA data_version").fetchone() != version
        other.stdin.close()


def test_nothing_shows_where_nothing_was_committed(held: sqlite3.Connection, tmp_path: Path) -> None:
    index = shared_index(str(tmp_path / "wal.db"))
    assert index is not None
    before = index[:HEADER]
    held.execute("SELECT * FROM notes").fetchall()
    held.executescript("BEGIN IMMEDIATE; INSERT INTO notes VALUES (2); ROLLBACK")
    assert index[:HEADER] == before == index[HEADER : 2 * HEADER]


def test_without_an_index_that_we_know_there_is_none(tmp_path: Path) -> None:
    assert shared_index(str(tmp_path / "absent.db")) is None
    (tmp_path / "short.db-shm").write_bytes(b"short")
    assert shared_index(str(tmp_path / "short.db")) is None
    (tmp_path / "other.db-shm").write_bytes(bytes(32768))
    assert shared_index(str(tmp_path / "other.db")) is None


def test_a_process_with_very_many_databases_asks_the_slower_way(
    held: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wal_index, "MAX_DATABASES", 0)
    assert shared_index(str(tmp_path / "wal.db")) is None
