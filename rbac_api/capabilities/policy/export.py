"""Writes the policy as a document of which only a part is in memory at a time. Part of the service.

The document is of one moment. It is written to a temporary file first, so that no transaction stays open
while a slow client reads.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO

import orjson

from rbac_api import clock
from rbac_api.capabilities.policy import queries
from rbac_api.capabilities.policy.current_state import (
    export,
    exported_assignments,
    find_current_policy,
    revision,
)
from rbac_api.capabilities.policy.engine import separate_unit
from rbac_api.capabilities.policy.state import load_state
from rbac_api.database.engine import batched
from rbac_api.formats.strict_yaml import yaml_text
from rbac_api.guard.enforcement.clearance import Clearance

CHUNK = 500  # assignments that are written at once
MAX_IN_MEMORY = 1 << 20  # bytes; a longer document is written to a file
Document = dict[str, list[dict[str, object]]]


def export_policy(clearance: Clearance, *, yaml: bool, known: Container[str] = ()) -> tuple[str, IO[bytes]]:
    """The tag of the current policy, and a file with the document, which is empty if the tag is ``known``.
    Applied where it was exported, it changes nothing."""
    with separate_unit(clearance) as reader:
        at = clock.now()
        tag = revision(reader.connection, at) + ("-yaml" if yaml else "")
        if tag in known:
            return tag, BytesIO()
        document = export(find_current_policy(load_state(reader, at), ()))
        document.pop("assignments")
        held = exported_assignments(queries.stream_assignments(reader.connection, at, CHUNK), at)
        return tag, _written((yaml_pieces if yaml else json_pieces)(document, held))


def _written(pieces: Iterable[bytes]) -> IO[bytes]:
    """A file with these pieces, to be read from its beginning."""
    file = SpooledTemporaryFile(MAX_IN_MEMORY)  # noqa: SIM115 - the caller closes it
    for piece in pieces:  # ``writelines`` would keep all of them in memory
        file.write(piece)
    file.seek(0)
    return file


def json_pieces(document: Document, held: Iterable[dict[str, object]]) -> Iterator[bytes]:
    """The document in JSON, with these assignments last."""
    yield orjson.dumps(document)[:-1] + b',"assignments":['
    comma = b""
    for some in batched(held, CHUNK):
        yield comma + orjson.dumps(some)[1:-1]
        comma = b","
    yield b"]}"


def yaml_pieces(document: Document, held: Iterable[dict[str, object]]) -> Iterator[bytes]:
    """The same in YAML."""
    yield yaml_text(document).encode()
    empty = True
    for some in batched(held, CHUNK):
        text = yaml_text({"assignments": some})
        yield (text if empty else text.partition("\n")[2]).encode()
        empty = False
    if empty:
        yield yaml_text({"assignments": []}).encode()
