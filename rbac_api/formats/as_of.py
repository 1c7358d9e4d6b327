"""Checks the argument for the past time as of which a resource is read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rbac_api import clock
from rbac_api.errors import Fault


def future(name: str, moment: datetime) -> Iterator[Fault]:
    """Yield the fault of an argument whose time is in the future."""
    if moment > clock.now():
        yield Fault(f"/{name}", "at.future", "Must be in the past.")
