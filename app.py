"""``app`` for any WSGI server; ``python app.py`` makes the database ready and serves with the production server."""

from __future__ import annotations

if __name__ == "__main__":
    from rbac_api.cli.serve import serve

    serve()
else:
    from rbac_api.cli.refused import explaining
    from rbac_api.factory import create_app

    app = explaining(create_app)
