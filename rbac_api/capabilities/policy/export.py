"""Writes the policy as a document of which only a part is in memory at a time. Part of the service.

The document is of one moment. It is written to a temporary file first, so that no transaction stays open
while a slow client reads.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from datetime import datetime
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
from rbac_api.capabilities.policy.inside import part_in
from rbac_api.capabilities.policy.past import load_past_state, past_revision
from rbac_api.capabilities.policy.queries_past import list_domains_at
from rbac_api.capabilities.policy.reading import separate_unit
from rbac_api.capabilities.policy.state import load_state
from rbac_api.database.engine import batched
from rbac_api.database.queries.domains import list_all_domains
from rbac_api.formats.strict_yaml import yaml_text
from rbac_api.guard.enforcement.clearance import Clearance

CHUNK = 500  # assignments that are written at once
MAX_IN_MEMORY = 1 << 20  # bytes; a longer document is written to a file
Document = dict[str, list[dict[str, object]]]


def export_policy(
    clearance: Clearance,
    *,
    yaml: bool,
    indent: bool = False,
    known: Container[str] = (),
    at: datetime | None = None,
) -> tuple[str, IO[bytes]]:
    """The tag of the policy, now or at that moment, and a file with the document of the clearance's domain,
    which is empty if the tag is ``known``. The current one, applied where it was exported, changes
    nothing."""
    with separate_unit(clearance) as reader:
        connection, moment, past = reader.connection, at or clock.now(), at is not None
        tag = (past_revision if past else revision)(connection, moment) + ("-yaml" if yaml else "")
        if tag in known:
            return tag, BytesIO()
        state = (load_past_state if past else load_state)(reader, moment)
        state.places.take(list_domains_at(connection, moment) if past else list_all_domains(connection))
        document = export(part_in(find_current_policy(state, ()), clearance.domain))
        document.pop("assignments")
        rows = queries.stream_assignments(connection, moment, CHUNK, past=past, domain=clearance.domain)
        held = exported_assignments(rows, moment)
        return tag, _written(yaml_pieces(document, held) if yaml else json_pieces(document, held, indent))


def _written(pieces: Iterable[bytes]) -> IO[bytes]:
    """A file with these pieces, to be read from its beginning."""
    file = SpooledTemporaryFile(MAX_IN_MEMORY)  # noqa: SIM115 - the caller closes it
    for piece in pieces:  # ``writelines`` would keep all of them in memory
        file.write(piece)
    file.seek(0)
    return file


def json_pieces(
    document: Document, held: Iterable[dict[str, object]], indent: bool = False
) -> Iterator[bytes]:
    """The document in JSON, with these assignments last; indented for people."""
    form = orjson.OPT_INDENT_2 if indent else None
    head, _, _ = orjson.dumps({**document, "assignments": []}, option=form).rpartition(b"]")
    yield head
    comma = end = b""
    for some in batched(held, CHUNK):
        _, _, entries = orjson.dumps({"assignments": some}, option=form).partition(b"[")
        entries, _, _ = entries.rpartition(b"]")
        yield comma + entries.rstrip()
        comma, end = b",", entries[len(entries.rstrip()) :]
    yield end + (b"]\n}\n" if indent else b"]}")


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
