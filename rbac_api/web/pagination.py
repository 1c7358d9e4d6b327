"""Keyset paging: a signed cursor holds the last row's key.

So pages stay stable while rows are added and removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

import orjson
from flask import Response, request

from rbac_api import clock
from rbac_api.errors import Fault, Invalid
from rbac_api.formats import paging
from rbac_api.formats.paging import Page, PageRequest
from rbac_api.web.cursors import open_cursor, signed_cursor
from rbac_api.web.responses.json_response import json_answer

T = TypeVar("T")
EMPTY: Mapping[str, object] = {}


def page_request(query: Mapping[str, object]) -> PageRequest:
    """Take the paging arguments out of a parsed query and leave the filters.

    422 for a cursor that this service did not sign, or that belongs to another list.
    """
    taken = cast("dict[str, Any]", query)  # what marshmallow loads is a dict
    limit, cursor, count = taken.pop("limit", 50), taken.pop("cursor", None), taken.pop("count", False)
    return PageRequest(limit, _opened(cursor) if cursor else None, count)


def page_answer(page: Page[T], more: Mapping[str, object] = EMPTY) -> Response:
    """Answer with ``{items, next}``, ``more`` members, and a ``Link`` header (RFC 8288) to the next page."""
    cursor = _sealed(page.next_key) if page.next_key is not None else None
    body: dict[str, object] = {"items": page.items, "next": cursor, **more}
    if page.total is not None:
        body["total"] = min(page.total, paging.MAX_TOTAL)
        body |= {"total_is_minimum": True} if page.total > paging.MAX_TOTAL else {}
    answer = json_answer(body)
    if cursor:
        given = [pair for pair in request.args.items(multi=True) if pair[0] != "cursor"]
        query = urlencode([*given, ("cursor", cursor)])
        answer.headers["Link"] = f'<{request.script_root}{request.path}?{query}>; rel="next"'
    return answer


def _salt() -> bytes:
    filters = {
        name: sorted(values)
        for name, values in request.args.lists()
        if name not in ("cursor", "limit", "count")
    }
    return orjson.dumps([request.path, filters], option=orjson.OPT_SORT_KEYS)


def _sealed(key: tuple[object, ...]) -> str:
    values = [{"t": clock.rfc3339(value)} if isinstance(value, datetime) else value for value in key]
    return signed_cursor(values, _salt())


def _opened(cursor: str) -> tuple[object, ...]:
    values = open_cursor(cursor, _salt())
    if values is None:
        fault = Fault(
            "/cursor",
            "cursor.invalid",
            "Send the cursor exactly as 'next' returned it, with the same filters.",
        )
        raise Invalid(faults=(fault,))
    return tuple(datetime.fromisoformat(value["t"]) if isinstance(value, dict) else value for value in values)
