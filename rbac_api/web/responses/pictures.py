"""Answers that are pictures: the diagram as SVG, or as text for Mermaid."""

from __future__ import annotations

from flask import Response

from rbac_api.formats.diagram import Diagram, to_mermaid
from rbac_api.web.responses.json_response import MERMAID, SVG, preferred


def wanted_picture() -> str | None:
    """Return the media type of the picture that ``Accept`` prefers; None for JSON, the default."""
    found = preferred("application/json", SVG, MERMAID)
    return None if found == "application/json" else found


def picture_answer(diagram: Diagram, media_type: str) -> Response:
    """Return the answer with the picture.

    Opened by itself, an SVG may use its own style and nothing else.
    """
    if media_type == MERMAID:
        return Response(to_mermaid(diagram), content_type=f"{MERMAID}; charset=utf-8")
    from rbac_api.formats.svg import STYLE_SOURCE, to_svg  # with the library: no other answer needs it

    policy = f"default-src 'none'; style-src {STYLE_SOURCE}; frame-ancestors 'none'; sandbox"
    return Response(
        to_svg(diagram), content_type=f"{SVG}; charset=utf-8", headers={"Content-Security-Policy": policy}
    )
