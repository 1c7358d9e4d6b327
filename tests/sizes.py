"""How much is generated, raced, killed and fuzzed: in `make test` as much as finds the known mistakes, in `make soak` far more."""

from __future__ import annotations

import os
from typing import TypeVar

SOAK = os.environ.get("RBAC_TEST_SOAK", "") not in ("", "0")
T = TypeVar("T")


def sized(usual: T, soak: T) -> T:
    """``usual`` in `make test`, ``soak`` in `make soak`.  A test that has two sizes carries the mark ``soak``."""
    return soak if SOAK else usual
