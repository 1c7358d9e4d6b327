"""The product with gunicorn's own threaded worker: the twin that a crowd of half requests must be able to stop.

It is also somebody's own program around `serve`: without `app.py` and the folder that it makes for shared figures.
"""

from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from rbac_api.cli import serve
from rbac_api.factory import create_app

_options = serve._options


def _stock_options(settings: Any) -> dict[str, Any]:
    return {**_options(settings), "worker_class": ThreadWorker}


if __name__ == "__main__":
    serve._options = _stock_options
    serve.serve(create_app)
