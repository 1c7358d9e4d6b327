"""Types of answers about signing keys."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypedDict

KeyState = Literal["next", "active", "retired", "withdrawn"]


class Moments(TypedDict):
    """When a key was made and used."""

    created_at: datetime | None
    signs_from: datetime | None
    retired_at: datetime | None
    withdrawn_at: datetime | None
    verifies_until: datetime | None


class KeyAnswer(Moments):
    """A signing key, without any key material."""

    kid: str
    algorithm: str
    state: KeyState
    kept_in: Literal["database", "settings"]
