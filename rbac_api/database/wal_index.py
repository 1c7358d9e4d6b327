"""Reads the header of SQLite's WAL index as shared memory: comparing 48 bytes shows whether a transaction was
committed.

The file beside the database that ends in ``-shm`` begins with two copies of a header
(https://sqlite.org/walformat.html section 2.1). Every commit of any process changes it, in its counter, its
number of frames and its checksum, before the commit is answered.  SQLite itself checks its cache by it, which
is what ``PRAGMA data_version`` reports.  That pragma takes three system calls and as many waits for the
interpreter's lock, on every request.

Two rules keep this safe.  The file is not removed or truncated while any connection that has read is open, so
a reader of the header must hold one.  And a descriptor of the file may never be closed while the process
lives: closing any of them would drop all the locks this process has on it, including SQLite's
(https://sqlite.org/howtocorrupt.html section 2.2).  So ``_OPEN`` only grows, up to a limit.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
from pathlib import Path

VERSION = 3007000  # of the format, in the header's first four bytes: the same since WAL exists
HEADER = 48
MAX_DATABASES = 32  # per process; further ones use the slower way
_OPEN: dict[tuple[int, int], tuple[int, mmap.mmap]] = {}
_opening = threading.Lock()


def shared_index(path: str) -> mmap.mmap | None:
    """Return the index of the database at ``path``; None if it cannot be opened, or has an unknown format."""
    try:
        with _opening:
            index = _mapped(Path(f"{path}-shm"))
    except (OSError, ValueError):
        return None
    return index if index is not None and _known(index[:HEADER]) else None


def _mapped(place: Path) -> mmap.mmap | None:
    status = place.stat()
    key = (status.st_dev, status.st_ino)
    if key not in _OPEN and len(_OPEN) < MAX_DATABASES:
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        _OPEN[key] = descriptor, mmap.mmap(descriptor, 2 * HEADER, access=mmap.ACCESS_READ)
    return _OPEN[key][1] if key in _OPEN else None


def _known(header: bytes) -> bool:
    version, initialised = struct.unpack_from("=I8xB", header)
    return bool(version == VERSION and initialised == 1)
