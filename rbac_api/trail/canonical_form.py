"""Writes JSON in one form: what is hashed, and what is stored to be hashed."""

from __future__ import annotations

import json


def canonical(values: object) -> str:
    """Return JSON with sorted keys, no spaces and only necessary escapes: one text for one value."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
