"""The production server: prepares the database, then runs gunicorn with the worker of this package."""

from __future__ import annotations

import gc
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from prometheus_client.multiprocess import mark_process_dead
from prometheus_client.values import MutexValue, ValueClass

from rbac_api.cli.loading import without_collection
from rbac_api.cli.prepare import Prepared, prepare
from rbac_api.cli.refusals import explained
from rbac_api.cli.worker import Worker
from rbac_api.database.engine import Database
from rbac_api.environment import leave_out
from rbac_api.errors import ServiceError
from rbac_api.settings import Settings, SettingsRefused, checked
from rbac_api.value_checks import (
    HOST_FAULT,
    host_in_url,
    is_host,
    is_loopback,
    is_loopback_url,
    nearest_host,
    own_url,
)

MakeApp = Callable[[Settings], Any]
TRIES, PAUSE = 10, 0.5  # in seconds
MAX_CONNECTIONS = 4096  # in each worker
OTHER_FILES, FILES_OF_A_THREAD = 64, 4  # a connection to SQLite has three
SILENCE = 3.0  # seconds of preparing after which the operator gets a message
_WAITING = "Still preparing the database: migrating or loading, or waiting for another node that does."


class Server(BaseApplication):
    """gunicorn, configured from the settings instead of from a file."""

    def __init__(self, settings: Settings, make_app: MakeApp) -> None:
        self.settings = settings
        self.make_app = make_app
        super().__init__()

    def load_config(self) -> None:
        for name, value in _options(self.settings).items():
            self.cfg.set(name, value)

    def load(self) -> object:
        with without_collection():
            app = self.make_app(self.settings)
        gc.collect()
        # objects made at the start stay: the garbage collector need not visit them during requests
        gc.freeze()
        return app


def serve(make_app: MakeApp, settings: Settings | None = None) -> None:
    """Make the database ready, print what was done, and serve until stopped.

    Ends the process with a message if the settings are refused.

    ``make_app`` is called in each worker, after the fork, so that no connection or thread is shared between
    processes.
    """
    try:
        given = settings or Settings.from_environment()
        require_usable_host(given)
        chosen = checked(given)
        require_free_address(chosen)
        database = Database(chosen)
        with waiting_reported():
            done = prepare(chosen, database)
        database.dispose()
    except ServiceError as fault:
        sys.exit(f"rbac-api does not start.\n{explained(fault)}")
    _welcome(chosen, done)
    leave_out("SCRIPT_NAME")  # gunicorn would refuse every path from which a proxy has removed the prefix
    Server(chosen, make_app).run()


def require_usable_host(settings: Settings) -> None:
    """Raise ``SettingsRefused`` if the host is not an address of this machine, before anything is written."""
    if not is_host(settings.host):
        raise SettingsRefused([HOST_FAULT])
    try:
        _listen(settings.listen_host, 0)
    except OSError as fault:
        raise SettingsRefused([f"{HOST_FAULT}: {fault.strerror}"]) from fault


@contextmanager
def waiting_reported() -> Iterator[None]:
    """Print to standard error if this start waits: another node may migrate or load for minutes."""
    timer = threading.Timer(
        SILENCE,
        lambda: print(_WAITING, file=sys.stderr, flush=True),  # noqa: T201 -- to the operator
    )
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def require_free_address(settings: Settings) -> None:
    """Raise ``SettingsRefused`` if the server cannot listen.

    This is checked before anything is created, and before a password is shown that is shown only once.
    """
    fault_text = ""
    for _ in range(TRIES):
        try:
            _listen(settings.listen_host, settings.port)
        except OSError as fault:
            fault_text = f"cannot listen at {_bind(settings)}: {fault.strerror}"
            time.sleep(PAUSE)  # a stopping server may still hold the address
        else:
            return
    raise SettingsRefused([f"HOST, PORT: {fault_text}. Example: PORT=8001"])


def _listen(host: str, port: int) -> None:
    """Listen for a moment, as gunicorn will: at ``::`` also for IPv4."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    socket.create_server((host, port), family=family, dualstack_ipv6=both).close()


def _bind(settings: Settings) -> str:
    return f"{host_in_url(settings.listen_host)}:{settings.port}"


def connection_capacity(threads: int) -> int:
    """Return the number of connections of each worker.

    The limit of open files is raised for it, as far as the system allows.
    """
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = (sys.maxsize if limit == resource.RLIM_INFINITY else limit for limit in limits)
    others = OTHER_FILES + FILES_OF_A_THREAD * threads
    files = max(soft, min(hard, MAX_CONNECTIONS + others))
    if files > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, limits[1]))
    return max(1, min(MAX_CONNECTIONS, files - others))


def _options(settings: Settings) -> dict[str, object]:
    threads = (
        settings.threads + settings.signin_queue
    )  # requests that wait for the hasher must not delay the others
    return {
        "bind": _bind(settings),
        "workers": settings.worker_count,
        "worker_class": Worker,
        "threads": threads,
        "timeout": 60,
        "graceful_timeout": 10,
        "keepalive": settings.keepalive_seconds,
        "worker_connections": connection_capacity(threads),
        "limit_request_line": 8190,
        "limit_request_field_size": 16380,
        "forwarded_allow_ips": "",
        "control_socket_disable": True,
        "loglevel": "warning",
        "accesslog": None,
        "worker_exit": _worker_exit,
        "child_exit": _child_exit,
    }


def _worker_exit(_server: object, worker: object) -> None:
    """Release the database and write the last figures, in a worker that stops normally.

    Other nodes then no longer wait for it to follow the trail. A worker that could not make its application
    has neither.
    """
    app = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions["rbac-api"].close()
        app.extensions["rbac-tally"].close()


def _child_exit(_server: object, worker: Worker) -> None:
    """Remove a dead worker's gauges; its counters stay."""
    if ValueClass is not MutexValue:
        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def _welcome(settings: Settings, done: Prepared) -> None:
    address = own_url(settings.listen_host, settings.port)
    lines = [*(f"Warning: {warning}" for warning in done.warnings), *done.lines]
    if settings.embedded:
        lines.append(
            f"Data and keys: {Path(settings.data_dir).absolute()} (mode 0600; keep a copy of "
            "secret_key with your backups)."
        )
    if done.password:
        lines += [
            "",
            f"Administrator: {done.username}",
            f"One-time password: {done.password}",
            "It is shown only once; after signing in, you must change it.",
            "",
        ]
    elif done.username:
        lines.append(f"Administrator: {done.username}, with the password you gave.")
    if nearest_host(settings.listen_host) != settings.listen_host:
        lines.append(f"Listening on all addresses of this machine (http://{_bind(settings)}).")
    if not is_loopback(settings.listen_host) and is_loopback_url(settings.issuer_url):
        lines.append(
            f"Warning: other machines can connect, but tokens are issued as {settings.issuer_url}, "
            "which they cannot reach. Set"
            " RBAC_ISSUER to the address at which they reach this service, for example "
            "RBAC_ISSUER=https://rbac.example.com."
        )
    lines.append(f"Swagger UI: {address}/docs" if settings.docs else f"Serving at {address}")
    print("\n".join(lines), flush=True)  # noqa: T201 -- this is what the person who typed `make run` reads
