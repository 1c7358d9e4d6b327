"""``app`` for any WSGI server; ``python app.py`` makes the database ready and serves with the production server."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

FIGURES = "PROMETHEUS_MULTIPROC_DIR"


def _share_figures() -> None:
    """Let the workers add up their figures in a folder that lives as long as this process."""
    folder, owner = tempfile.mkdtemp(prefix="rbac-figures-"), os.getpid()
    os.environ[FIGURES] = folder

    @atexit.register
    def _() -> None:
        if os.getpid() == owner:  # a worker inherits this, and ends earlier
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__" and FIGURES not in os.environ:
    _share_figures()  # before the imports: prometheus-client looks once, when it is first imported

from rbac_api.cli.refused import explaining  # noqa: E402
from rbac_api.cli.serve import serve  # noqa: E402
from rbac_api.factory import create_app  # noqa: E402

if __name__ == "__main__":
    serve(create_app)
else:
    app = explaining(create_app)
