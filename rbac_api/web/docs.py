"""The Swagger UI page at `/docs`: every asset our own, no inline script, tokens in the page's memory only.

Owns two routes and their headers. It refuses every file name that is not on the list made at start-up, so
neither Swagger UI's OAuth redirect page nor anything beside the folders can be asked for. Called by the factory,
and only when the documentation is switched on.
"""

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import quote

from flask import Flask, Response, abort, request, send_file

OWN_FOLDER: Final = Path(__file__).parent / "docs_assets"
SWAGGER_UI_FILES: Final = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png", "LICENSE")
MEDIA_TYPES: Final = {  # stated, not guessed: with `nosniff` a machine's odd MIME table would break the page
    ".js": "text/javascript",
    ".css": "text/css",
    ".png": "image/png",
    "": "text/plain",
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
    "Cache-Control": "no-cache",  # keep a copy but ask each time: mostly a 304, and upgrades show at once
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file the page may load, its media type, and a tag made from its bytes (equal on all nodes)."""

    path: Path
    media_type: str
    etag: str


def register_docs(app: Flask) -> None:
    """Add `/docs` and `/docs/assets/<path>` to the application; neither appears in the OpenAPI document."""
    assets = _assets()
    page = (OWN_FOLDER / "docs.html").read_text(encoding="utf-8")

    def docs() -> Response:
        """Swagger UI."""
        root = quote(request.root_path)  # not empty behind a proxy that serves us under a prefix
        response = Response(page.replace("{{root}}", root), mimetype="text/html")
        response.add_etag()
        response.make_conditional(request)
        return _finished(response)

    def docs_asset(path: str) -> Response:
        """A script, style sheet or image of the page."""
        asset = assets.get(path)
        if asset is None:
            abort(404)
        return _finished(send_file(asset.path, mimetype=asset.media_type, etag=asset.etag))

    for rule, view in (("/docs", docs), ("/docs/assets/<path:path>", docs_asset)):
        view.__dict__["access"] = "public"  # the stamp that start-up asks of every view
        app.add_url_rule(rule, view_func=view, methods=["GET"], strict_slashes=False)


def _assets() -> dict[str, Asset]:
    own = (file for file in OWN_FOLDER.iterdir() if file.suffix in {".js", ".css"})
    swagger_ui = _swagger_ui_folder()
    return {file.name: _asset(file) for file in (*own, *(swagger_ui / name for name in SWAGGER_UI_FILES))}


def _asset(file: Path) -> Asset:
    return Asset(file, MEDIA_TYPES[file.suffix], hashlib.sha256(file.read_bytes()).hexdigest()[:32])


def _swagger_ui_folder() -> Path:
    spec = find_spec("flask_swagger_ui")  # found, not imported: only its files are wanted, not its blueprint
    if spec is None or spec.origin is None:
        raise RuntimeError("Swagger UI is missing: install flask-swagger-ui, or switch RBAC_DOCS off")
    return Path(spec.origin).parent / "dist"


def _finished(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response
