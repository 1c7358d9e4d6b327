"""The service's public keys.

They are fetched when a token names an unknown key, at a limited rate, since any caller can name unknown keys.
"""

from __future__ import annotations

import json
import threading
from time import monotonic

from rbac_verifier.fetch import Source, Unreachable, one_at_a_time
from rbac_verifier.jws import KID, Key, read_key

PATH = "/.well-known/jwks.json"
BURST = 5  # fetches for unknown keys in a row
APART = 1.0  # one more fetch is allowed after so long


class KeySet:
    """The last content of ``/.well-known/jwks.json``."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._keys: dict[str, Key] = {}
        self._withdrawn: frozenset[str] = frozenset()
        self._fetching = threading.Lock()
        self._left, self._counted = float(BURST), monotonic()

    def find(self, kid: str, algorithm: str) -> Key | None:
        """Return the key with this ``kid`` and algorithm, or None.

        ``Unreachable`` if that cannot be found out now.
        """
        if kid in self._withdrawn:
            return None
        key = self._keys.get(kid)
        if key is None and KID.fullmatch(kid):
            key = self._fetched(kid)
        return key if key is not None and key.algorithm == algorithm else None

    def fetch(self) -> None:
        """Read the keys again; the known keys stay if that fails."""
        with one_at_a_time(self._fetching, self._source.max_wait):
            self._fetch()

    def withdraw(self, kids: frozenset[str]) -> None:
        """Set the withdrawn keys: they verify nothing, even if they are still published."""
        self._withdrawn = kids

    def _fetched(self, kid: str) -> Key | None:
        with one_at_a_time(self._fetching, self._source.max_wait):
            if kid not in self._keys:
                self._count()
                self._fetch()
            return self._keys.get(kid)

    def _count(self) -> None:
        now = monotonic()
        self._left = min(BURST, self._left + (now - self._counted) / APART)
        self._counted = now
        if self._left < 1:
            raise Unreachable("the keys were read several times a moment ago")
        self._left -= 1

    def _fetch(self) -> None:
        try:
            listed = json.loads(self._source.get(PATH, past_caches=True))["keys"]
            found = [key for key in map(read_key, listed) if key is not None]
        except (ValueError, TypeError, KeyError, RecursionError) as fault:
            raise Unreachable(f"{PATH} is no JWK Set") from fault
        self._keys = {key.kid: key for key in found}
