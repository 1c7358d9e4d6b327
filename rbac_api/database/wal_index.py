"""The header of SQLite's WAL index, as shared memory: to see whether anybody committed is to compare 48 bytes.

The file beside the database that ends in ``-shm`` begins with two copies of a header (https://sqlite.org/walformat.html section 2.1).
Every commit of any process changes it, in its counter, its number of frames and its checksum, before the commit is answered; SQLite
itself tells by it whether its cache is still good, which is what ``PRAGMA data_version`` reports.  Asked that way it takes three
system calls and as many waits for the interpreter's lock, on every request.

Two things keep this safe.  While any connection that has read is open, nobody removes or truncates the file, so whoever looks here
must hold one.  And a descriptor of the file may never be closed while the process lives: closing any of them would drop all the locks
this process has on it, SQLite's too (https://sqlite.org/howtocorrupt.html section 2.2).  Hence ``_OPEN``, which only grows, and its end.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
from pathlib import Path

VERSION = 3007000  # of the format, in the header's first four bytes: the same since WAL exists
HEADER = 48
MAX_DATABASES = 32  # databases per process; more are asked the slower way
_OPEN: dict[tuple[int, int], tuple[int, mmap.mmap]] = {}
_opening = threading.Lock()


def shared_index(path: str) -> mmap.mmap | None:
    """The index of the database at ``path``; None if it cannot be had, or is not written as we know it."""
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
