"""Makes strong ETags (RFC 9110 section 8.8.3) of a row's version and its representation."""

from __future__ import annotations

import hashlib

import orjson

from rbac_api.formats.http_errors import PreconditionFailed


def tag_of(representation: object, version: int) -> str:
    """Return the opaque tag, without quotes.

    It changes whenever the representation or the row's version changes.
    """
    digest = hashlib.sha256(orjson.dumps(representation, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return f"{version}-{digest[:20]}"


def require_match(sent: frozenset[str], representation: object, version: int) -> None:
    """Raise 412 unless one of the tags is the current one. Call it inside the transaction that writes."""
    if tag_of(representation, version) not in sent:
        raise PreconditionFailed()
