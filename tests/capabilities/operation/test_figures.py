"""The figures for Prometheus: every answer once, whichever thread or process gave it."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rbac_api.database.constraints import DatabaseDown
from rbac_api.observability.metrics import REQUESTS
from rbac_api.web.server import middleware
from rbac_api.web.server.middleware import RequestTally
from tests.builders import Stage
from tests.cast import CAROL, DAVE
from tests.meeting import begun_by_two
from tests.patience import eventually
from tests.servers.places import server_folder
from tests.servers.postgres import PostgresServer
from tests.servers.service import SETTINGS, Service

ROOT = Path(__file__).resolve().parents[3]
OPERATION = ROOT / "docs" / "operation.md"
Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


def figures(text: str) -> Figures:
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def answered(found: Figures, route: str, status: int, method: str = "GET") -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return found.get(("rbac_http_requests_total", frozenset(labels.items())), 0)


@pytest.fixture
def service(postgres: PostgresServer) -> Iterator[Service]:
    """The product with two workers, on a database of its own."""
    settings = {**SETTINGS, "RBAC_WORKERS": "2", "RBAC_DATABASE_URL": postgres.create_database()}
    found = Service(server_folder("figures"), settings, measured=True)
    found.start()
    yield found
    code = found.terminate()
    found.end()
    assert code == 0


@pytest.mark.large
def test_every_answer_is_counted_by_route_and_status_and_no_id_becomes_a_label(stage: Stage) -> None:
    carol, dave = stage.as_(CAROL), stage.as_(DAVE)
    before = figures(carol.get("/metrics").text)

    for _ in range(3):
        carol.get(f"/v1/users/{stage.user_id(DAVE)}")
    dave.get("/v1/users")
    dave.get("/no/such/place")

    after = figures(carol.get("/metrics").text)
    told = [("/v1/users/<user_id>", 200), ("/v1/users", 403), ("-", 404)]
    assert [answered(after, *what) - answered(before, *what) for what in told] == [3, 1, 1]
    assert not [labels for _, labels in after for _, value in labels if stage.user_id(DAVE) in value]
    refused = ("rbac_refusals_total", frozenset({("code", "access.denied")}))
    assert after[refused] - before.get(refused, 0) == 1


def test_methods_that_a_stranger_invents_are_counted_as_one(stage: Stage) -> None:
    client = stage.app.test_client()
    before = figures(client.get("/metrics").text)

    for method in ("BREW", "WHEN", "PROPFIND"):
        for path in ("/healthz", "/no/such/place"):
            client.open(path, method=method)

    after = figures(client.get("/metrics").text)
    told = [("-", 405, "other"), ("-", 404, "other")]
    assert [answered(after, *what) - answered(before, *what) for what in told] == [3, 3]
    assert not {"BREW", "WHEN", "PROPFIND"} & {value for _, labels in after for _, value in labels}


def everybody_hands_in() -> None:
    """The times have no labels and are one process's, and every application of this one (each engine's stage is one) hands in its
    last ones within a second: so let all of them do it now."""
    for tally in [found for found in gc.get_objects() if type(found) is RequestTally]:
        tally.fold()


def test_the_times_taken_are_as_many_as_the_answers(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    everybody_hands_in()
    before = figures(carol.get("/metrics").text)

    for _ in range(4):
        carol.get("/healthz")

    after = figures(carol.get("/metrics").text)
    assert timed(after, "/healthz") - timed(before, "/healthz") == 4
    assert timed(after, "/metrics") - timed(before, "/metrics") == 1  # the reading of the figures before


def timed(found: Figures, route: str) -> float:
    labels = frozenset({("method", "GET"), ("route", route)})
    return found.get(("rbac_http_request_seconds_count", labels), 0)


FRESH = """
import os, sys, tempfile
from tests.builders import settings_for
from rbac_api.cli.prepare import prepare
from rbac_api.database.engine import Database
from rbac_api.factory import close_app, create_app
settings = settings_for("sqlite:///" + tempfile.mkdtemp() + "/fresh.db")
database = Database(settings)
prepare(settings, database)
database.dispose()
app = create_app(settings)
app.test_client().get("/healthz")
sys.stdout.write(app.test_client().get("/metrics").text)
close_app(app)
"""
WATCHED = {  # what the documents say to alert on
    "rbac_incidents_total": ("type", ("refresh-reuse", "stale-use", "lockout")),
    "rbac_alarms_total": ("type", ("refresh-reuse", "stale-use", "lockout")),
    "rbac_refreshes_total": ("outcome", ("rotated", "repeated", "reused", "ended")),
    "rbac_signins_total": ("outcome", ("succeeded", "failed", "locked", "incomplete")),
    "rbac_client_authentications_total": ("outcome", ("succeeded", "failed")),
    "rbac_refusals_total": (
        "code",
        ("access.denied", "admin.last", "target.stronger", "escalation.denied", "csrf.failed"),
    ),
}


@pytest.mark.outside
def test_every_figure_to_watch_is_there_before_its_first_event() -> None:
    """In a process of its own: nothing has happened in it."""
    told = subprocess.run(
        [sys.executable, "-c", FRESH], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    found = figures(told.stdout)

    for name, (label, values) in WATCHED.items():
        assert {value: found.get((name, frozenset({(label, value)}))) for value in values} == dict.fromkeys(
            values, 0.0
        )
    documented = set(re.findall(r"^\| `(rbac_\w+)", OPERATION.read_text(), re.MULTILINE))
    assert documented <= {name for name, _ in found}
    assert set(WATCHED) <= documented


def test_the_values_of_labels_are_those_that_are_known() -> None:
    """Every literal that the code counts under is among those that start at zero."""
    known = {value for _, values in WATCHED.values() for value in values}
    counted: set[str] = set()
    for source in (ROOT / "rbac_api").rglob("*.py"):
        for call in re.findall(
            r"(?:SIGNINS|CLIENTS|ALARMS|INCIDENTS)\.labels\(([^)]*)\)", source.read_text()
        ):
            counted |= set(re.findall(r'"([a-z-]+)"', call))

    assert counted
    assert counted <= known


def test_the_installation_is_described(stage: Stage) -> None:
    alice = stage.as_(CAROL)
    stage.app.extensions["rbac-facts"]._sessions = None
    recorded = len(stage.events())  # with what waited: the sign-in

    found = figures(alice.get("/metrics").text)

    build = next(dict(labels) for name, labels in found if name == "rbac_build_info")
    assert {"version", "python", "schema"} == set(build)
    assert found["rbac_revision", frozenset()] == recorded
    assert found["rbac_sessions_active", frozenset()] == 1
    stage.as_(DAVE)
    assert figures(alice.get("/metrics").text)["rbac_sessions_active", frozenset()] == 1, (
        "counted once a minute"
    )
    assert ("rbac_database_connections_in_use", frozenset[tuple[str, str]]()) in found


def test_what_the_database_does_not_answer_is_left_out(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise DatabaseDown("gone")

    monkeypatch.setattr(stage.database, "reading", fails)
    answer = stage.app.test_client().get("/metrics")

    assert answer.status_code == 200
    assert "rbac_build_info" in answer.text
    assert "rbac_revision" not in answer.text


def test_of_answers_noted_by_sixteen_threads_none_is_lost_while_others_fold() -> None:
    tally, key = RequestTally(), ("GET", "/sixteen", 200)
    counter = REQUESTS.labels("GET", "/sixteen", 200)
    before, done = counter._value.get(), threading.Event()

    def fold() -> None:
        while not done.is_set():
            tally.fold()

    folding = threading.Thread(target=fold)
    folding.start()
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: [tally.note(key, 0.001) for _ in range(500)], range(16)))
    done.set()
    folding.join()
    tally.close()

    assert counter._value.get() - before == 8000


def test_a_worker_that_has_nothing_more_to_do_hands_in_its_last_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(middleware, "FOLD_SECONDS", 0.02)
    tally, counter = RequestTally(), REQUESTS.labels("GET", "/idle", 200)

    tally.note(("GET", "/idle", 200), 0.001)

    assert eventually(lambda: counter._value.get() >= 1)
    tally.close()
    assert tally._steady is not None
    assert not tally._steady.is_alive()


def test_a_tally_that_was_never_used_closes_too() -> None:
    RequestTally().close()


class NaiveTally(RequestTally):
    """The vulnerable twin: begins without looking whether somebody else has meanwhile."""

    def _begin(self) -> None:
        with self._folding:
            self._steady = threading.Thread(target=self._fold_steadily, name="rbac-tally", daemon=True)
            self._steady.start()


@pytest.mark.parametrize(("kind", "begun"), [(RequestTally, 1), (NaiveTally, 2)])
def test_two_first_answers_at_once_begin_one_thread_that_folds(kind: type[RequestTally], begun: int) -> None:
    tally = kind()

    threads = begun_by_two(
        lambda: tally.note(("GET", "/two", 200), 0.001), at=tally._folding, within=tally._begin
    )

    assert [thread.name for thread in threads] == ["rbac-tally"] * begun
    tally.close()


@pytest.mark.outside
def test_the_figures_of_two_workers_add_up(service: Service) -> None:
    lines = [service.connect() for _ in range(12)]
    before = scrape(service)
    for line in lines:
        for _ in range(5):
            line.request("GET", "/healthz")
            assert line.getresponse().read()

    def total() -> float:
        return answered(scrape(service), "/healthz", 200) - answered(before, "/healthz", 200)

    assert eventually(lambda: total() >= 60)
    assert total() == 60
    assert len(set(service.workers)) == 2
    for line in lines:
        line.close()


def scrape(service: Service) -> Figures:
    line = service.connect()
    try:
        line.request("GET", "/metrics")
        return figures(line.getresponse().read().decode())
    finally:
        line.close()
