"""Serves the Swagger UI page at ``/docs``: only local assets, no inline script, no token in browser storage.

It refuses every file name that is not on the list made at start-up, so neither Swagger UI's OAuth redirect
page nor a file outside the folders can be requested. The factory calls it only when the documentation is
switched on.
"""

import hashlib
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import quote

from flask import Flask, Response, abort, jsonify, request

from rbac_api.resources import resource
from rbac_api.web.responses.constant import ASK_EACH_TIME, KEEP, Fixed

OWN_FOLDER: Final = resource("web", "docs_assets")
SWAGGER_UI_FILES: Final = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png", "LICENSE")
MEDIA_TYPES: Final = {  # stated, not guessed: with `nosniff` a machine's odd MIME table would break the page
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".png": "image/png",
    "": "text/plain; charset=utf-8",
}
HEADERS: Final = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_VERSION: Final = re.compile(r"[0-9a-f]{16}")


def register_docs(app: Flask, cookies: frozenset[str] = frozenset()) -> None:
    """Add ``/docs`` and its files to the application; the OpenAPI document does not list them.

    ``cookies``: the names of the session cookies; the page asks whether its browser has one.
    """
    assets = _assets()
    version = _version(assets)
    page = (OWN_FOLDER / "docs.html").read_text(encoding="utf-8").replace("{{version}}", version)

    def docs() -> Response:
        """Swagger UI."""
        root = quote(request.root_path)  # not empty behind a proxy that serves us under a prefix
        html = page.replace("{{root}}", root).encode()
        return _finished(Fixed(html, "text/html; charset=utf-8").answer())

    def docs_asset(path: str) -> Response:
        """A script, style sheet or image; cached for ever under its own version, and only there."""
        asked, _, name = path.rpartition("/")
        if name not in assets or (asked and not _VERSION.fullmatch(asked)):
            abort(404)
        return _finished(assets[name].answer(KEEP if asked == version else ASK_EACH_TIME))

    def docs_session() -> Response:
        """Whether the browser has session cookies: without them the page need not ask who is signed in."""
        answer = jsonify(cookies=not cookies.isdisjoint(request.cookies))
        answer.headers["Cache-Control"] = "no-store"
        return _finished(answer)

    rules = (("/docs", docs), ("/docs/assets/<path:path>", docs_asset), ("/docs/session", docs_session))
    for rule, view in rules:
        view.__dict__["access"] = "public"  # start-up requires this mark on every view
        app.add_url_rule(rule, view_func=view, methods=["GET"], strict_slashes=False)


def _assets() -> dict[str, Fixed]:
    own = (file for file in OWN_FOLDER.iterdir() if file.suffix in {".js", ".css"})
    swagger_ui = _swagger_ui_folder()
    files = (*own, *(swagger_ui / name for name in SWAGGER_UI_FILES))
    return {file.name: Fixed(file.read_bytes(), MEDIA_TYPES[file.suffix]) for file in files}


def _version(assets: dict[str, Fixed]) -> str:
    """Return one version for all files.

    They load each other by relative URL, so it changes with any of them.
    """
    digests = "".join(f"{name} {assets[name].digest}\n" for name in sorted(assets))
    return hashlib.sha256(digests.encode()).hexdigest()[:16]


def _swagger_ui_folder() -> Path:
    spec = find_spec("flask_swagger_ui")  # found, not imported: only its files are used, not its blueprint
    if spec is None or spec.origin is None:
        raise RuntimeError("Swagger UI is missing: install flask-swagger-ui, or switch RBAC_DOCS off")
    return Path(spec.origin).parent / "dist"


def _finished(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response
