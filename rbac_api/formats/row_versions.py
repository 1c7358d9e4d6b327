"""Strong ETags (RFC 9110 section 8.8.3) over a row's version and its representation."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from rbac_api.formats.http_errors import PreconditionFailed


def tag_of(representation: Any, version: int) -> str:
    """The opaque tag of a representation, without quotes: changes whenever the representation or the row's version does."""
    digest = hashlib.sha256(orjson.dumps(representation, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return f"{version}-{digest[:20]}"


def require_match(sent: frozenset[str], representation: Any, version: int) -> None:
    """412 unless one of the tags is the present one; to be called inside the transaction that writes."""
    if tag_of(representation, version) not in sent:
        raise PreconditionFailed()
