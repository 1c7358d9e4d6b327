"""Answers ``GET /``, for a user or a program that has only the host name.

A browser is redirected to the documentation page. A program that asks for JSON gets the addresses of the
document and of readiness. The OpenAPI document does not list this path.
"""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from flask import Flask, Response, jsonify, redirect, request

_PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>rbac-api</title></head>
<body><main><h1>rbac-api</h1>
<p>The service runs. Its documentation page is switched off here (RBAC_DOCS=off).</p>
<ul><li><a href="{root}/openapi.json">The OpenAPI document</a>, for Swagger UI, Postman and other clients</li>
<li><a href="{root}/readyz">Readiness</a></li></ul></main></body></html>
"""
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


def register_start_page(app: Flask, *, docs: bool) -> None:
    """Answer ``GET /``; ``docs`` says whether there is a documentation page to redirect to."""

    def front() -> Response:
        """Redirect to the documentation page, or list the addresses."""
        root = quote(request.root_path)  # not empty behind a proxy that serves us under a prefix
        answer = _for_programs(root, docs=docs) if _wants_json() else _for_people(root, docs=docs)
        answer.headers["Cache-Control"] = "no-cache"
        answer.vary.add("Accept")
        return answer

    front.__dict__["access"] = "public"  # start-up requires this mark on every view
    app.add_url_rule("/", view_func=front, methods=["GET"])


def _wants_json() -> bool:
    """Return True if ``Accept`` prefers JSON to HTML."""
    accepted = request.accept_mimetypes
    return accepted.quality("application/json") > accepted.quality("text/html")


def _for_programs(root: str, *, docs: bool) -> Response:
    addresses = {"openapi": f"{root}/openapi.json", "ready": f"{root}/readyz"}
    return jsonify(name="rbac-api", **addresses, docs=f"{root}/docs" if docs else None)


def _for_people(root: str, *, docs: bool) -> Response:
    if docs:
        return redirect(f"{root}/docs", 303)  # type: ignore[return-value]
    return Response(_PAGE.format(root=escape(root)), mimetype="text/html", headers=_PAGE_HEADERS)
