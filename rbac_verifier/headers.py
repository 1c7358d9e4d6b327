"""Reads the bearer token in the headers of a request."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from rbac_verifier import problems

_ANOTHER = re.compile(r",[ \t]*((bearer|basic|digest|negotiate|dpop)([ \t,]|$)|$)", re.IGNORECASE)


@runtime_checkable
class HasItems(Protocol):
    """A mapping of headers, also one with repeated names."""

    def items(self) -> Iterable[tuple[str, str]]: ...


Headers = HasItems | Iterable[tuple[str, str]]


def credentials(headers: Headers) -> str:
    """Return the bearer token of the Authorization header (RFC 6750 section 2.1)."""
    if isinstance(headers, str):
        raise TypeError("identify() takes the headers of a request; for a bare token use identify_token()")
    pairs = headers.items() if isinstance(headers, HasItems) else headers
    found = [value for name, value in pairs if name.lower() == "authorization"]
    header = found[0].strip(" \t") if found else ""
    scheme, _, rest = header.partition(" ")
    if len(found) > 1 or _ANOTHER.search(header):
        raise problems.repeated()
    if scheme.lower() != "bearer" or not rest.strip(" \t"):
        raise problems.missing()
    return rest.strip(" ")
