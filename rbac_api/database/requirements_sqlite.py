"""Checks what this service requires of SQLite, and of the place where its file is."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

from sqlalchemy import Connection

from rbac_api.database.engine import Database
from rbac_api.database.requirements import Seen, need

MIN_VERSION = (3, 35, 0)  # RETURNING
_FTS5 = "SELECT count(*) FROM pragma_module_list WHERE name = 'fts5'"
MIN_FREE_BYTES = 64 * 1024**2
MOUNTS = Path("/proc/self/mountinfo")
# Machines that share such a place do not share memory, which SQLite's WAL uses, and locks may not work.
_SHARED = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "beegfs", "gfs2", "ocfs2",
    "fuse.sshfs", "fuse.glusterfs",
    "fuse.s3fs", "fuse.rclone", "fuse.ceph-fuse",
})  # fmt: skip
_PASSING = frozenset({"tmpfs", "ramfs"})


@need("library version", f"Use a Python whose sqlite3 has SQLite {'.'.join(map(str, MIN_VERSION))} or newer.")
def _version(_database: Database, _connection: Connection) -> Seen:
    return sqlite3.sqlite_version_info >= MIN_VERSION, f"SQLite {sqlite3.sqlite_version}"


@need("threads", "Use a Python whose SQLite was compiled with SQLITE_THREADSAFE=1.")
def _threads(_database: Database, _connection: Connection) -> Seen:
    level = sqlite3.threadsafety
    return level == 3, f"sqlite3.threadsafety is {level}"  # DB-API 2.0: connections may be shared


@need("text search", "Use a Python whose SQLite was compiled with FTS5 (SQLITE_ENABLE_FTS5).")
def _text_search(_database: Database, connection: Connection) -> Seen:
    found = connection.exec_driver_sql(_FTS5).scalar()
    return bool(found), f"FTS5 is {'present' if found else 'missing'}"


@need("journal", "Move the database to a local file system, where SQLite can keep its write-ahead log.")
def _journal(_database: Database, connection: Connection) -> Seen:
    mode = _pragma(connection, "journal_mode")
    return mode == "wal", f"journal_mode {mode}"


@need("durability", "Use a Python with an unaltered SQLite: PRAGMA synchronous=FULL had no effect.")
def _durability(_database: Database, connection: Connection) -> Seen:
    level = int(_pragma(connection, "synchronous"))
    return level >= 2, f"synchronous {level}"  # FULL


@need("references", "Use a Python with an unaltered SQLite: PRAGMA foreign_keys=ON had no effect.")
def _references(_database: Database, connection: Connection) -> Seen:
    return _pragma(connection, "foreign_keys") == "1", "foreign keys are checked"


@need(
    "file system",
    "Move the database to a disk of this machine, or use PostgreSQL, which several machines can share.",
)
def _file_system(database: Database, _connection: Connection) -> Seen:
    kind = file_system_of(_file(database))
    return kind not in _SHARED, f"{kind}, a network file system" if kind in _SHARED else kind or "unknown"


@need(
    "write access",
    "Run this service as the owner of these: chown them, and do not run `rbac-api` as another user.",
)
def _write_access(database: Database, _connection: Connection) -> Seen:
    file = _file(database)
    places = [file.parent, *(file.with_name(file.name + part) for part in ("", "-wal", "-shm"))]
    closed = [str(place) for place in places if place.exists() and not os.access(place, os.W_OK)]
    return not closed, f"not writable: {', '.join(closed)}" if closed else str(file)


@need("lasting storage", "Put RBAC_DATA_DIR (or the file of RBAC_DATABASE_URL) on a disk.", essential=False)
def _lasting_storage(database: Database, _connection: Connection) -> Seen:
    kind = file_system_of(_file(database))
    return (
        kind not in _PASSING,
        f"{kind}: lost when the machine stops" if kind in _PASSING else kind or "unknown",
    )


@need("disk space", "Free space on the disk of the database.", essential=False)
def _disk_space(database: Database, _connection: Connection) -> Seen:
    free = shutil.disk_usage(_file(database).parent).free
    return free >= MIN_FREE_BYTES, f"{free // 1024**2} MiB free"


def file_system_of(place: Path) -> str:
    """Return the kind of file system of a place (Linux: proc_pid_mountinfo(5)); empty where that cannot be
    found."""
    try:
        lines = MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    inside = {str(place.resolve()), *map(str, place.resolve().parents)}
    found = ("", "")
    for line in lines:
        point, kind = line.split()[4].replace("\\040", " "), line.partition(" - ")[2].split(maxsplit=1)[0]
        if point in inside and len(point) >= len(found[0]):
            found = (point, kind)
    return found[1]


def _file(database: Database) -> Path:
    return Path(database.engine.url.database or "").absolute()


def _pragma(connection: Connection, name: str) -> str:
    return str(connection.exec_driver_sql(f"PRAGMA {name}").scalar())
