"""Answers that are files: which form the client prefers, and the streamed answer."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response

from rbac_api.formats.sheets import MEDIA, Form
from rbac_api.web.responses.json_response import preferred

_JSON = "application/json"


def wanted_form() -> Form | None:
    """Return the file format that ``Accept`` prefers; None for pages of JSON, the default."""
    return MEDIA.get(preferred(_JSON, *MEDIA))


def file_answer(content: Iterator[bytes], form: Form, name: str) -> Response:
    """Return the answer that streams a file."""
    media_type = next(media for media, known in MEDIA.items() if known == form)
    headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
    return Response(content, content_type=f"{media_type}; charset=utf-8", headers=headers)
