"""``app`` for any WSGI server; ``python app.py`` makes the database ready and serves with the production server."""

from __future__ import annotations

from rbac_api.cli.refused import explaining
from rbac_api.cli.serve import serve
from rbac_api.factory import create_app

if __name__ == "__main__":
    serve(create_app)
else:
    app = explaining(create_app)
