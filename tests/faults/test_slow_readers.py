"""Clients that keep the server waiting, in every way there is: the others are served all the same, and each wait has an end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from rbac_api.settings import Settings
from tests.cast import PASSWORD
from tests.faults import hurried
from tests.faults.calls import call, once
from tests.patience import PATIENCE, eventually, seconds
from tests.servers.places import server_folder
from tests.servers.postgres import PostgresServer
from tests.servers.service import SETTINGS, Service

pytestmark = pytest.mark.outside

HURRIED = Path(hurried.__file__)
DOCUMENT = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
LOGIN = b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
PLAN = b"POST /v1/policy/plan HTTP/1.1\r\nHost: x\r\nContent-Length: 16000000\r\n\r\n"
CROWD = 120  # more than two workers have threads, 40 each
PROMPT = (
    5.0  # seconds: far more than an answer takes on a busy machine, far less than the deadlines of the crowd
)
SHAPES = {
    "a large answer, never read": DOCUMENT,
    "large answers, pipelined": DOCUMENT * 20,
    "small answers, pipelined": HEALTH * 20_000,
    "different answers, pipelined": (HEALTH + DOCUMENT + b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n") * 200,
    "refusals, pipelined": (LOGIN + b"Content-Length: 2\r\n\r\n{}") * 5_000,
    "nothing at all": b"",
    "half a head": DOCUMENT[:-3],
    "half a body": LOGIN + b"Content-Length: 60000\r\n\r\n{",
    "half a chunk": LOGIN + b"Transfer-Encoding: chunked\r\n\r\n50\r\n{",
    "one answer, and half a second request": HEALTH + DOCUMENT[:-3],
    "one answer, and then idle": HEALTH,
}  # fmt: skip


def node(*program: str, **settings: str) -> Service:
    folder = server_folder("readers")
    given = {**SETTINGS, "RBAC_DATABASE_URL": f"sqlite:///{folder}/rbac.db", **settings}
    found = Service(folder, given, *program, measured=True, warm=not program)
    found.start()
    return found


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[Service]:
    """One worker on SQLite, two on PostgreSQL; it stops in good order in spite of everything that was done to it."""
    own = {}
    if request.param == "postgresql":
        durable: PostgresServer = request.getfixturevalue("durable")
        own = {"RBAC_DATABASE_URL": durable.create_database(), "RBAC_WORKERS": "2"}
    found = node(**own)
    yield found
    code, output = found.terminate(), found.output()
    found.end()
    assert (code, output.count("Traceback")) == (0, 0), output


@pytest.fixture
def started() -> Iterator[list[Service]]:
    """Nodes that end with the test."""
    nodes: list[Service] = []
    yield nodes
    for found in nodes:
        code = found.terminate()
        found.end()
        assert code == 0


def dial(server: Service, request: bytes, address: str = "127.0.0.1") -> socket.socket:
    """Send what the connection takes at once, from an address of the loopback network, and read nothing."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.settimeout(PATIENCE)
    line.bind((address, 0))
    line.connect(("127.0.0.1", server.port))
    line.setblocking(False)
    if request:
        line.send(request)
    line.settimeout(PATIENCE)
    return line


def ended(line: socket.socket) -> bool:
    """Whether the server has closed, once what it sent before is read."""
    line.setblocking(False)
    try:
        while line.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    return True


def slowest_answer(server: Service, calls: int = 20) -> float:
    """The longest of several calls by others, each on a connection of its own."""
    statuses: list[int] = []
    taken = [seconds(lambda: statuses.append(once(server, "GET", "/readyz").status)) for _ in range(calls)]
    assert set(statuses) == {200}
    return max(taken)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_crowd_that_keeps_the_server_waiting_keeps_no_other_client_waiting(
    server: Service, shape: str
) -> None:
    with ExitStack() as stack:
        for _ in range(CROWD):
            stack.enter_context(dial(server, SHAPES[shape]))
        assert slowest_answer(server) < PROMPT


def test_eleven_hundred_half_sent_requests_keep_no_other_client_waiting(server: Service) -> None:
    with ExitStack() as stack:
        stack.enter_context(closing(steady := server.connect()))
        for number in range(1100):
            stack.enter_context(dial(server, DOCUMENT[:-3]))
            if number % 100 == 0:  # on a connection that stays open, too
                assert seconds(lambda: call(steady, "GET", "/healthz")) < PROMPT
        assert slowest_answer(server) < PROMPT


def test_a_request_behind_unread_answers_is_not_begun_and_all_are_answered_in_order_when_they_are_read(
    server: Service,
) -> None:
    token = once(server, "POST", "/v1/auth/login", None, {"username": "admin", "password": PASSWORD}).json[
        "access_token"
    ]
    name = f"late-{time.time_ns()}"
    body = json.dumps({"name": name, "description": ""}).encode()
    create = b"POST /v1/roles HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    bearer = b"Authorization: Bearer %s\r\n\r\n" % token.encode()
    with dial(server, DOCUMENT * 20 + create % len(body) + bearer + body + LAST) as line:
        assert slowest_answer(server) < PROMPT
        assert once(server, "GET", f"/v1/roles/{name}", token).status == 404
        answers = b"".join(iter(lambda: line.recv(65536), b""))
    assert answers.count(b'"openapi":') == 20
    assert answers.count(b"HTTP/1.1 201 ") == 1
    assert answers.endswith(b"}")
    assert once(server, "GET", f"/v1/roles/{name}", token).status == 200


def test_a_streamed_answer_waits_for_its_reader_and_is_whole(server: Service) -> None:
    token = once(server, "POST", "/v1/auth/login", None, {"username": "admin", "password": PASSWORD}).json[
        "access_token"
    ]
    with closing(server.connect()) as line:
        for number in range(40):
            filler = {"name": f"filler-{time.time_ns()}-{number}", "description": "x" * 500}
            assert call(line, "POST", "/v1/roles", token, filler).status == 201
        quickly = call(line, "GET", "/v1/audit/events", token, accept="application/x-ndjson").body
    request = (
        b"GET /v1/audit/events HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\nConnection: close\r\n"
    )
    with dial(server, request + b"Authorization: Bearer %s\r\n\r\n" % token.encode()) as line:
        assert slowest_answer(server, 3) < PROMPT
        slowly = b"".join(iter(lambda: line.recv(4096), b""))
    assert len(slowly) > len(quickly)


def hurry(started: list[Service], **settings: str) -> Service:
    started.append(node(str(HURRIED), PYTHONPATH=str(HURRIED.parents[2]), **settings))
    return started[-1]


def test_a_reader_below_the_least_rate_is_cut_off_and_one_above_it_is_not(started: list[Service]) -> None:
    found = hurry(started)
    with dial(found, DOCUMENT) as slow, dial(found, DOCUMENT + LAST) as steady:
        whole = b"".join(iter(lambda: steady.recv(65536), b""))
        assert whole.count(b'"status":"ok"') == 1
        assert "connections.closed" in found.wait_until_it_says("connections.closed")
        assert eventually(lambda: ended(slow))
    assert closed_by(found) == {"deadline": 1, "number": 0, "memory": 0, "files": 0}


def closed_by(server: Service) -> dict[str, int]:
    """How many connections were closed amid something, by reason, as ``/metrics`` has it."""
    text = once(server, "GET", "/metrics").body.decode()
    found = re.findall(r'^rbac_connections_closed_total\{reason="(\w+)"\} (\d+)', text, re.MULTILINE)
    return {reason: int(number) for reason, number in found}


def test_an_answer_that_fails_amid_itself_does_not_look_complete(started: list[Service]) -> None:
    found = hurry(started)
    with dial(found, b"GET /breaks HTTP/1.1\r\nHost: x\r\n\r\n") as line:
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    assert not answer.endswith(b"0\r\n\r\n")
    assert "request.cut_off" in found.wait_until_it_says("request.cut_off")


def test_what_an_answer_holds_is_let_go_when_its_reader_goes(started: list[Service]) -> None:
    found = hurry(started)
    with dial(found, b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n") as line:
        assert line.recv(65536)
    assert "let go" in found.wait_until_it_says("let go")


def test_out_of_files_the_connection_that_waits_longest_makes_room(started: list[Service]) -> None:
    found = hurry(started, FILES="150")
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(dial(found, DOCUMENT[:-3]))
        assert seconds(lambda: once(found, "GET", "/healthz")) < PROMPT
    assert eventually(lambda: closed_by(found).get("files", 0) > 0)  # it has no file to count in before


def test_more_requests_at_once_than_threads_are_all_answered(started: list[Service]) -> None:
    started.append(found := node(RBAC_THREADS="1", RBAC_SIGNIN_QUEUE="1"))
    body = json.dumps({"username": "nobody", "password": PASSWORD}).encode()
    login = LOGIN + b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with ExitStack() as stack:
        crowd = [stack.enter_context(dial(found, login)) for _ in range(8)]
        answers = [line.recv(12) for line in crowd]
    assert set(answers) <= {b"HTTP/1.1 401", b"HTTP/1.1 503"}


def test_half_requests_that_fill_the_memory_are_ended_before_it_is_full(started: list[Service]) -> None:
    found = hurry(started)
    with ExitStack() as stack:
        crowd = [stack.enter_context(dial(found, PLAN, "127.0.0.2")) for _ in range(20)]
        modest = stack.enter_context(dial(found, LOGIN + b"Content-Length: 100\r\n\r\n{"))
        for line in crowd:
            line.settimeout(0.2)
            try:
                line.sendall(b" " * 300_000)
            except OSError:
                continue
        assert eventually(lambda: sum(map(ended, crowd)) >= 10)
        assert closed_by(found)["memory"] >= 10
        assert not ended(modest)
        assert once(found, "GET", "/readyz").status == 200


@pytest.mark.parametrize("hops", ["0", "1"])
def test_an_address_has_so_many_connections_unless_it_is_a_proxys(started: list[Service], hops: str) -> None:
    started.append(found := node(RBAC_ADDRESS_CONNECTIONS="20", RBAC_PROXY_HOPS=hops))
    with ExitStack() as stack:
        other = stack.enter_context(dial(found, HEALTH, "127.0.0.3"))
        crowd = [stack.enter_context(dial(found, HEALTH, "127.0.0.2")) for _ in range(30)]
        surplus = 10 if hops == "0" else 0
        assert once(found, "GET", "/readyz").status == 200
        assert eventually(lambda: sum(map(ended, crowd)) == surplus)
        assert not ended(crowd[-1])
        assert not ended(other)


def test_when_all_connections_are_taken_the_address_with_the_most_makes_room(started: list[Service]) -> None:
    found = hurry(started)
    with ExitStack() as stack:
        few = [stack.enter_context(dial(found, HEALTH, f"127.0.1.{number}")) for number in range(1, 11)]
        for _ in range(100):
            stack.enter_context(dial(found, DOCUMENT[:-3], "127.0.0.2"))
        assert slowest_answer(found) < PROMPT
        assert not any(map(ended, few))
        assert closed_by(found)["number"] > 0


def test_told_to_stop_it_still_answers_on_open_connections_and_closes_them(started: list[Service]) -> None:
    started.append(found := node())

    def closes() -> bool:
        line.send(HEALTH)
        return b"Connection: close" in line.recv(65536)

    with dial(found, b"") as line:
        assert not closes()
        os.kill(found.process.pid, signal.SIGTERM)
        assert eventually(closes)


def test_an_idle_connection_stays_open_for_as_long_as_the_setting_says(started: list[Service]) -> None:
    assert Settings().keepalive_seconds > 60, "longer than the load balancers'"
    started.append(brief := node(RBAC_KEEPALIVE_SECONDS="1"))
    started.append(usual := node())
    with dial(brief, HEALTH) as short, dial(usual, HEALTH) as long:
        began = time.monotonic()
        assert eventually(lambda: ended(short))
        time.sleep(max(0.0, began + 6.0 - time.monotonic()))  # more than the five seconds it once was
        assert not ended(long)
        long.settimeout(PATIENCE)
        long.send(HEALTH)
        assert long.recv(65536).startswith(b"HTTP/1.1 200 OK")
