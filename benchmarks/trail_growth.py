"""Measures how fast a user without permissions makes the audit trail grow.

Usage: ``python -m benchmarks.trail_growth [--engine sqlite|postgresql] [--seconds S]``

Four clients of one account without permissions send as fast as they can: refused requests to every operation,
each time with another name, changes of the own profile, wrong guesses of the own password, and requests with
an invalid token. It prints the number of requests by status, and the bytes of the events written meanwhile,
converted to an hour.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import String, cast, func, select

from benchmarks.__main__ import ENGINES, database
from benchmarks.processes import serving
from benchmarks.stage import ROLE, Stage, build_stage
from rbac_api.database.engine import Database
from rbac_api.database.tables import trail_events
from rbac_api.factory import close_app, create_app

CLIENTS = 4
SETTLING = 66.0  # seconds within which counts of repeated refusals are written
Request = tuple[str, str, str | None, bool]  # method, path, body, whether the token is the user's


def requests(document: dict[str, dict[str, dict[str, object]]]) -> Iterator[Request]:
    """Yield requests without end."""
    refused = [
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if isinstance(operation, dict) and operation.get("x-permission")
    ]
    for number in itertools.count():
        method, path = refused[number % len(refused)]
        yield method, re.sub(r"\{\w+\}", f"n{number}", path), None, True
        if number % 10 == 0:
            yield "PATCH", "/v1/me", json.dumps({"display_name": f"Name {number}"}), True
            guess = {"current_password": f"guess {number}", "new_password": "marble otter quilts the fjord"}
            yield "POST", "/v1/me/password", json.dumps(guess), True
            yield "GET", f"/v1/roles/n{number}", None, False


def press(
    port: int, token: str, sending: Iterator[Request], lock: threading.Lock, ends: float
) -> Counter[int]:
    """Send until the time is over, and return the statuses."""
    found: Counter[int] = Counter()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as line:
        while time.monotonic() < ends:
            with lock:
                method, path, body, own = next(sending)
            headers = {"Authorization": f"Bearer {token if own else 'rubbish'}"}
            line.request(method, path, body, {**headers, "Content-Type": "application/json"})
            answer = line.getresponse()
            answer.read()
            found[answer.status] += 1
    return found


def bare_user(stage: Stage) -> str:
    """Return the access token of a user whose only role was removed."""
    app = create_app(stage.settings)
    client, user = app.test_client(), stage.people[1]
    headers = {"Authorization": f"Bearer {stage.people[0].access}"}
    answer = client.delete(f"/v1/users/{user.username}/roles/{ROLE}", headers=headers)
    if answer.status_code != 204:
        raise RuntimeError(f"the role was not taken: {answer.text}")
    close_app(app)
    return user.access


def trail(stage: Stage) -> tuple[int, int]:
    """Return the number of events, and the bytes of their texts."""
    known = Database(stage.settings)
    texts = sum(
        func.coalesce(func.length(cast(column, String)), 0)
        for column in trail_events.c
        if column.name not in ("seq", "at")
    )
    with known.reading() as connection:
        count, size = connection.execute(select(func.count(), func.coalesce(func.sum(texts), 0))).one()
    known.dispose()
    return int(count), int(size)


def measure(engine: str, seconds: float) -> None:
    """Send, wait for events that are still to be written, and print."""
    with database(engine) as (folder, url):
        stage = build_stage(folder, url, 2, 10)
        token = bare_user(stage)
        document = json.loads((Path(__file__).parents[1] / "openapi" / "openapi.json").read_text())
        with serving("ours", stage.environment, folder) as server:
            before, ends, lock = trail(stage), time.monotonic() + seconds, threading.Lock()
            sending, found = requests(document), Counter[int]()

            def go() -> None:
                answered = press(server.port, token, sending, lock, ends)
                with lock:
                    found.update(answered)

            threads = [threading.Thread(target=go) for _ in range(CLIENTS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            time.sleep(SETTLING)
            events, size = (after - earlier for after, earlier in zip(trail(stage), before, strict=True))
    print(
        f"{engine}: {found.total()} requests in {seconds:.0f} s, {dict(sorted(found.items()))}: "
        f"{events} events, {size} bytes,"
        f" {size * 3600 / seconds / 1e6:.2f} MB an hour",
        flush=True,
    )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trail_growth", description=__doc__)
    parser.add_argument("--engine", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--seconds", type=float, default=120.0)
    options = parser.parse_args()
    for engine in options.engine:
        measure(engine, options.seconds)


if __name__ == "__main__":
    main()
