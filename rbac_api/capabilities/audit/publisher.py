"""Writes a checkpoint a day to the data folder, and posts it to ``RBAC_CHECKPOINT_URL``.

Each worker looks once an hour; the one that makes the day's file first is the one that posts.  A failure is
logged and counted, and nothing else. A folder that cannot be read counts as one without the file.  A
checkpoint that could not be posted is tried again every hour until the next day's replaces it, which says the
same and more.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from datetime import date
from pathlib import Path

from rbac_api import clock
from rbac_api.capabilities.audit.evidence import signed_checkpoint, stored_head
from rbac_api.capabilities.audit.posting import PostFailed, post
from rbac_api.database.engine import Database
from rbac_api.errors import Unavailable
from rbac_api.observability.background import surviving
from rbac_api.observability.logs import log
from rbac_api.observability.metrics import CHECKPOINTS
from rbac_api.settings import Settings
from rbac_api.trail.tree import extend_tree

FIRST_SECONDS, EVERY_SECONDS = 60.0, 3600.0
PAUSE_SECONDS = 0.05  # between two batches of a long trail: waiting requests get the lock first
FOLDER = "checkpoints"
_ALL = 1 << 62


class CheckpointPublisher:
    """A thread, one per process, that runs a minute after its start and every hour from then on."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._done: date | None = None
        self._unposted = ""

    def start(self) -> None:
        """Start, not before the first request: a worker's process is forked after this object was created."""
        self._thread = threading.Thread(target=self._follow, name="rbac-checkpoints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after the current batch."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def publish(self) -> None:
        """Write and post the checkpoint of the day, unless a worker on this data folder did."""
        today = clock.now().date()
        file = Path(self._settings.data_dir) / FOLDER / f"{today.isoformat()}.txt"
        if self._done != today and not os.path.exists(file):  # noqa: PTH110 -- raises nothing
            head = stored_head(self._database)
            extend_tree(self._database, head, _ALL, self._pause)
            note = signed_checkpoint(self._database, self._settings, head)
            if self._is_ours(file, note):
                self._unposted = note if self._settings.checkpoint_url else ""
        self._done = today
        self._post()

    def _is_ours(self, file: Path, note: str) -> bool:
        """Write the file whole; False if another worker made it meanwhile. Where none can be written, the
        checkpoint is posted all the same."""
        part = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            if not file.parent.is_dir():
                file.parent.mkdir()
            part.write_text(note, encoding="utf-8")
            os.link(part, file)
        except OSError as fault:
            if os.path.isfile(file):  # noqa: PTH113 -- raises nothing
                return False
            self._fail("checkpoint.not_written", f"{file}: {fault.strerror}")
            return True
        finally:
            with suppress(OSError):  # it may not be there, or not be possible
                part.unlink()
        CHECKPOINTS.labels("written").inc()
        return True

    def _post(self) -> None:
        if not self._unposted:
            return
        try:
            post(self._settings.checkpoint_url, self._unposted.encode())
        except PostFailed as fault:
            self._fail("checkpoint.not_posted", str(fault))
            return
        self._unposted = ""
        CHECKPOINTS.labels("posted").inc()

    def _fail(self, what: str, why: str) -> None:
        CHECKPOINTS.labels("failed").inc()
        log.warning(what, internal=why)

    def _pause(self) -> None:
        if self._closing.wait(PAUSE_SECONDS):
            raise Unavailable(internal="the process ends")

    def _follow(self) -> None:
        wait = FIRST_SECONDS
        while not self._closing.wait(wait):
            wait = EVERY_SECONDS
            with surviving("checkpoints"):
                try:
                    self.publish()
                except Unavailable as fault:
                    self._fail("checkpoint.failed", fault.internal or "")
