"""Types of answers about domains."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired, TypedDict


class DomainAnswer(TypedDict):
    """A place where roles count."""

    name: str
    parent: str | None
    title: str | None
    description: str
    created_at: datetime | None


class DomainFilters(TypedDict):
    """Which domains to list."""

    under: NotRequired[str]


class DomainBody(TypedDict):
    """A new domain."""

    name: str
    title: NotRequired[str | None]
    description: NotRequired[str]


class DomainNameAnswer(TypedDict):
    """A domain by its name."""

    name: str
