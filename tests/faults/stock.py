"""The product with gunicorn's own threaded worker: the twin that a crowd of half requests must be able to stop."""

import runpy
from pathlib import Path
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from rbac_api.cli import serve

_options = serve._options


def _stock_options(settings: Any) -> dict[str, Any]:
    return {**_options(settings), "worker_class": ThreadWorker}


if __name__ == "__main__":
    serve._options = _stock_options
    runpy.run_path(str(Path(__file__).resolve().parents[2] / "app.py"), run_name="__main__")
