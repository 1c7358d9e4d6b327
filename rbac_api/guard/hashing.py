"""Hashes with bcrypt, so that every byte counts, every failing check costs the same, and no other request
waits.

``base64(HMAC-SHA-256(pepper, NFC(password)))`` is what bcrypt gets: 44 bytes without NUL, so its limit of 72
bytes never matters, and a stolen table is worthless without the instance secret (OWASP Password Storage Cheat
Sheet, "Peppering" and "bcrypt"). Hashes run on threads of their own with low priority, ``RBAC_HASHERS`` at a
time; the others wait in a bounded queue.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import threading
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import bcrypt

from rbac_api.guard.errors import HasherBusy
from rbac_api.observability.metrics import HASH_QUEUE
from rbac_api.sealing import derived_key
from rbac_api.settings import Settings

SCHEME = "p1$"  # keyed pre-hash with the pepper derived from the instance secret, then bcrypt
NICENESS = 10
_STORED = re.compile(
    r"p1\$(\$2b\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{53})"
)  # hashes at a higher cost than any of ours are not tried
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Check:
    """Whether the password matches, and whether its hash has another cost than the configured one."""

    fits: bool
    outdated: bool = False


class Hasher:
    """Hashes passwords; one per process."""

    def __init__(self, settings: Settings) -> None:
        self.cost = settings.password_cost
        self._pepper = derived_key(settings.secret_key, "password-pepper")
        self._slots = threading.BoundedSemaphore(settings.hasher_count)
        self._places = threading.BoundedSemaphore(settings.hasher_count + settings.signin_queue)
        self._threads = ThreadPoolExecutor(
            settings.hasher_count, thread_name_prefix="hasher", initializer=_be_nice
        )
        # A dummy of the right form and cost, made without a password, since every worker would have
        # to compute it at start.
        self._dummy = bcrypt.gensalt(self.cost) + b"." * 31

    @contextmanager
    def slot(self) -> Iterator[None]:
        """The right to hash. Its holder may also read and write the account's failure count without races in
        this process."""
        if not self._places.acquire(blocking=False):
            raise HasherBusy(retry_after=2)
        try:
            with HASH_QUEUE.track_inprogress(), self._slots:
                yield
        finally:
            self._places.release()

    def hash(self, password: str) -> str:
        """A new hash at the configured cost, with its scheme in front; waits for a slot."""
        with self.slot():
            return (
                SCHEME
                + self._run(
                    lambda: bcrypt.hashpw(self._prehash(password), bcrypt.gensalt(self.cost))
                ).decode()
            )

    def check(self, password: str, stored: str | None) -> Check:
        """Compare within a slot. Every failure computes exactly one hash at the configured cost."""
        prehash = self._prehash(password)
        known = _STORED.fullmatch(stored or "")
        found = self._run(lambda: _compare(prehash, known[1])) if known else None
        outdated = known is not None and int(known[2]) != self.cost
        if found is None or (outdated and not found):
            self._run(lambda: bcrypt.checkpw(prehash, self._dummy))
        return Check(bool(found), outdated)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _prehash(self, password: str) -> bytes:
        text = unicodedata.normalize("NFC", password).encode()
        return base64.b64encode(hmac.new(self._pepper, text, hashlib.sha256).digest())

    def _run(self, work: Callable[[], T]) -> T:
        return self._threads.submit(work).result()


def _compare(prehash: bytes, known: str) -> bool | None:
    """Whether the hash matches; None if bcrypt calls it damaged, which it does before it computes
    anything."""
    try:
        return bcrypt.checkpw(prehash, known.encode())
    except ValueError:
        return None


def _be_nice() -> None:
    """Lower the priority of this thread: only a request that hashes waits for it."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
