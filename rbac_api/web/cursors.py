"""Signs the positions from which lists go on, and opens them again.

A position that is written in another way than the service writes it is refused, also where Base64 would have
the same bytes: of the last character some bits do not count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer


def signed_cursor(position: Sequence[object], salt: bytes) -> str:
    """Return the position as text, signed for the list that ``salt`` names."""
    return str(_signer(current_app.config["RBAC_CURSOR_KEY"], salt).dumps(position))


def open_cursor(cursor: str, salt: bytes) -> list[Any] | None:
    """Return the position; None unless the text is exactly what ``signed_cursor`` returned."""
    signer = _signer(current_app.config["RBAC_CURSOR_KEY"], salt)
    try:
        position: list[Any] = signer.loads(cursor)
    except BadData:
        return None
    return position if signer.dumps(position) == cursor else None


@lru_cache(256)
def _signer(key: bytes, salt: bytes) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt=salt, signer_kwargs={"digest_method": hashlib.sha256})
