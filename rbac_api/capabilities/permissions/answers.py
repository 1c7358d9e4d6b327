"""Types of answers about permissions."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict


class PermissionAnswer(TypedDict):
    """Something that can be allowed."""

    name: str
    title: str | None
    description: str
    system: bool
    created_at: datetime
