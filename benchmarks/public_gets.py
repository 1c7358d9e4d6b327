"""Measures the GET operations that need no sign-in.

Usage: ``python -m benchmarks.public_gets [--calls N] [--seconds S]``

It prints the CPU time of each public GET, with RS256 and five keys, and the 99th percentile of ``GET /v1/me``
while eight anonymous readers request the public keys.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.processes import Running, serving
from benchmarks.stage import PASSWORD, build_stage
from rbac_api.factory import close_app, create_app
from rbac_api.settings import Settings

READERS, KEYS = 8, 5
VALUES = {"code": "access.denied"}


def public_gets(document: dict[str, Any]) -> Iterator[str]:
    """Return the paths of all reading operations without credentials in the OpenAPI document."""
    for path, operations in sorted(document["paths"].items()):
        get = operations.get("get")
        if get is not None and get.get("security", document.get("security")) == []:
            yield path.format(**VALUES)
    yield from ("/openapi.json", "/docs")


def cpu_ms(client: Any, path: str, calls: int) -> float:
    """Return the CPU milliseconds of one answer, without the first one."""
    client.get(path)
    began = time.process_time()
    for _ in range(calls):
        client.get(path)
    return (time.process_time() - began) * 1000 / calls


def p99_ms(running: Running, token: str, seconds: float, readers: int) -> float:
    """Return the 99th percentile of ``GET /v1/me`` beside a number of readers of the public keys."""
    ends = time.monotonic() + seconds
    threads = [
        threading.Thread(target=_read, args=(running.port, "/.well-known/jwks.json", {}, ends))
        for _ in range(readers)
    ]
    for thread in threads:
        thread.start()
    taken = sorted(_read(running.port, "/v1/me", {"Authorization": f"Bearer {token}"}, ends))
    for thread in threads:
        thread.join()
    return taken[int(len(taken) * 0.99)] * 1000


def _read(port: int, path: str, headers: dict[str, str], ends: float) -> list[float]:
    taken = []
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as line:
        while time.monotonic() < ends:
            began = time.monotonic()
            line.request("GET", path, headers=headers)
            answer = line.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path} answers {answer.status}")
            taken.append(time.monotonic() - began)
    return taken


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rbac-bench-") as name:
        stage = build_stage(Path(name), f"sqlite:///{name}/rbac.db", 1, 10)
        environment = {**stage.environment, "RBAC_SIGNING_ALGORITHM": "RS256"}
        app = create_app(_with_keys(environment))
        client = app.test_client()
        login = {"username": "admin", "password": PASSWORD}
        token = client.post("/v1/auth/login", json=login).get_json()["access_token"]
        for _ in range(KEYS - 1):
            client.post("/v1/keys/rotate", headers={"Authorization": f"Bearer {token}"})
        token = client.post("/v1/auth/login", json=login).get_json()["access_token"]
        for path in public_gets(json.loads(client.get("/openapi.json").data)):
            print(f"{cpu_ms(client, path, options.calls):8.2f} ms CPU  GET {path}")
        close_app(app)
        with serving("ours", environment, Path(name)) as ours:
            for readers in (0, READERS):
                found = p99_ms(ours, token, options.seconds, readers)
                print(f"{found:8.1f} ms p99 of GET /v1/me beside {readers} readers of the public keys")


def _with_keys(environment: dict[str, str]) -> Settings:
    """Return the settings, after making a key of their algorithm."""
    from rbac_api.cli.prepare import prepare
    from rbac_api.database.engine import Database

    settings = Settings.from_environment(environment)
    database = Database(settings)
    prepare(settings, database)
    database.dispose()
    return settings


if __name__ == "__main__":
    main()
