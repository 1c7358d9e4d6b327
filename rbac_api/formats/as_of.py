"""The check of an argument that names the past time a read is for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rbac_api import clock
from rbac_api.errors import Fault


def future(name: str, moment: datetime) -> Iterator[Fault]:
    """The fault of an argument that names a moment which has not come."""
    if moment > clock.now():
        yield Fault(f"/{name}", "at.future", "Must be in the past.")
