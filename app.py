"""Defines ``app`` for any WSGI server.

``python app.py`` is ``rbac-api serve``: it makes the database ready and serves.
"""

from __future__ import annotations

if __name__ == "__main__":
    from rbac_api.cli.start import start

    start()
else:
    from rbac_api.factory import create_app

    app = create_app()
