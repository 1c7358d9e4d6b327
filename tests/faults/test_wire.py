"""What no HTTP library would send: broken framing, half requests, idle crowds.  Raw sockets against the running server."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from gunicorn.http.errors import InvalidResponseHeader

from rbac_api.cli.worker import ARRIVAL_SECONDS, Worker
from tests.cast import PASSWORD
from tests.faults.calls import call, once
from tests.patience import PATIENCE, at_best, seconds
from tests.servers.places import server_folder
from tests.servers.service import SETTINGS, Service

pytestmark = pytest.mark.outside

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
LOGIN = b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = LOGIN + b"Transfer-Encoding: chunked\r\n\r\n"
WRONG = json.dumps({"username": "nobody", "password": PASSWORD}).encode()
MANY = b"POST /access/v1/evaluations%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CLOSE = b"Connection: close\r\n"
CROWD = 200
PROMPT = 2.0  # seconds for which the twin is listened to
STOCK = Path(__file__).with_name("stock.py")


def node(*program: str, **settings: str) -> Service:
    folder = server_folder("wire")
    given = {**SETTINGS, "RBAC_DATABASE_URL": f"sqlite:///{folder}/rbac.db", **settings}
    found = Service(folder, given, *program, measured=True, warm=not program)
    found.start()
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[Service]:
    """One node for this module, which in the end stops in good order in spite of everything that was done to it."""
    found = node()
    yield found
    code, output = found.terminate(), found.output()
    found.end()
    assert (code, output.count("Traceback")) == (0, 0), output


def send(server: Service, *parts: bytes) -> socket.socket:
    """Send, piece by piece, and keep the connection open."""
    line = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    for part in parts:
        line.sendall(part)
    return line


def hear(line: socket.socket) -> str:
    """Everything until the server closes."""
    with line:
        return b"".join(iter(lambda: line.recv(65536), b"")).decode("latin-1")


REFUSED = {
    "a length and chunks": (LOGIN + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", 400),
    "two lengths": (LOGIN + b"Content-Length: 6\r\nContent-Length: 7\r\n\r\nabcdef", 400),
    "a length that is no number": (LOGIN + b"Content-Length: +6\r\n\r\nabcdef", 400),
    "an unknown coding": (LOGIN + b"Transfer-Encoding: rot13\r\n\r\nabc", 400),
    "a coding that is not chunked": (LOGIN + b"Transfer-Encoding: gzip\r\n\r\nabc", 400),
    "chunked twice": (LOGIN + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    "a chunk's size that is no number": (CHUNKED + b"xyz\r\nabc\r\n0\r\n\r\n", 400),
    "a chunk's size without end": (CHUNKED + b"0" * 100, 400),
    "a chunk longer than it says": (CHUNKED + b"1\r\nabc\r\n0\r\n\r\n", 400),
    "a chunk extension": (CHUNKED + b"1;x=y\r\na\r\n0\r\n\r\n", 400),
    "a trailer": (CHUNKED + b"0\r\nX: y\r\n\r\n", 400),
    "a header without a name": (HEALTH + b": x\r\n\r\n", 400),
    "a space before the colon": (HEALTH + b"Host : x\r\n\r\n", 400),
    "a folded header": (HEALTH + b"A: b\r\n c\r\n\r\n", 400),
    "no HTTP at all": (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
    "one header too long": (HEALTH + b"A: " + b"a" * 17000 + b"\r\n\r\n", 431),
    "headers without end": (HEALTH + b"".join(b"A%d: %s\r\n" % (n, b"a" * 8000) for n in range(5)), 431),
    "too many headers": (HEALTH + b"".join(b"A%d: b\r\n" % n for n in range(200)) + b"\r\n", 431),
    "an address too long": (b"GET /" + b"a" * 9000, 414),
    "a body announced too long": (LOGIN + b"Content-Length: 65537\r\n\r\n", 413),
    "a body announced far too long": (LOGIN + b"Content-Length: " + b"9" * 4000 + b"\r\n\r\n", 413),
    "chunks too long": (CHUNKED + b"10001\r\n", 413),
    "a body announced too long even for many questions": (MANY % b"" + b"Content-Length: 1048577\r\n\r\n", 413),
    "chunks too long even for many questions": (MANY % b"" + b"Transfer-Encoding: chunked\r\n\r\n100001\r\n", 413),
    "a body too long for an address in disguise": (
        LOGIN.replace(b"in HTTP", b"in?/access/v1/evaluations HTTP") + b"Content-Length: 65537\r\n\r\n",
        413,
    ),
    "chunks too small and too many": (CHUNKED + b"1\r\na\r\n" * 30000, 413),
    "a body too long behind a good request": (HEALTH + b"\r\n" + LOGIN + b"Content-Length: 70000\r\n\r\n", 413),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_mallory_breaks_the_framing_and_is_shown_the_door(server: Service, name: str) -> None:
    request, status = REFUSED[name]
    head, _, body = hear(send(server, request)).rpartition("\r\n\r\n")
    problem = json.loads(body)
    assert f"HTTP/1.1 {status} " in head
    assert head.lower().count("content-type: application/problem+json") == 1
    assert problem["status"] == status
    assert problem["code"].startswith("request.")
    assert once(server, "GET", problem["type"]).status == 200


UNUSUAL = {
    "in single bytes": [HEALTH[n : n + 1] for n in range(len(HEALTH))] + [CLOSE, b"\r\n"],
    "behind an empty line": [b"\r\n", HEALTH, CLOSE, b"\r\n"],
    "by HTTP/1.0": [b"GET /healthz HTTP/1.0\r\n\r\n"],
    "after two others": [HEALTH + b"\r\n" + HEALTH + b"\r\n" + HEALTH, CLOSE + b"\r\n"],
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_honest_client_may_speak_unusually(server: Service, name: str) -> None:
    answers = hear(send(server, *UNUSUAL[name]))
    assert answers.count("HTTP/1.1 200 OK") + answers.count("HTTP/1.0 200 OK") == b"".join(
        UNUSUAL[name]
    ).count(b"GET")


def test_a_second_request_may_come_later_and_in_halves(server: Service) -> None:
    line = send(server, HEALTH, b"\r\n")
    assert once(server, "GET", "/healthz").status == 200  # so the first is being answered
    line.sendall(HEALTH[:20])
    assert once(server, "GET", "/healthz").status == 200  # so the first half has been seen
    line.sendall(HEALTH[20:] + CLOSE + b"\r\n")
    assert hear(line).count("HTTP/1.1 200 OK") == 2


def reset(line: socket.socket) -> None:
    """Go without a word: what is not sent or read yet is thrown away."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


@pytest.mark.parametrize(
    "parts", [[], [HEALTH], [HEALTH, b"\r\n"], [HEALTH, CLOSE, b"\r\n"], [b"BAD\r\n\r\n"]]
)
def test_clients_that_vanish_do_no_harm(server: Service, parts: list[bytes]) -> None:
    for _ in range(20):
        reset(send(server, *parts))
    assert once(server, "GET", "/readyz").status == 200


def test_a_client_that_goes_on_talking_after_the_last_answer_is_not_heard(server: Service) -> None:
    line = send(server, HEALTH, CLOSE, b"\r\n")
    assert line.recv(65536).startswith(b"HTTP/1.1 200 OK")
    line.sendall(HEALTH + b"\r\n")
    assert once(server, "GET", "/readyz").status == 200
    reset(line)
    assert once(server, "GET", "/readyz").status == 200


@pytest.mark.parametrize(
    "fault", [RuntimeError("in the application"), InvalidResponseHeader("by the application")]
)
def test_what_fails_on_our_side_of_the_framing_is_answered_as_our_fault(fault: Exception) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        Worker.__new__(Worker).handle_error(None, ours, ("192.0.2.1", 1), fault)
    head, _, body = hear(theirs).rpartition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 500 ")
    assert json.loads(body)["code"] == "service.failed"


def stopping() -> float:
    """The seconds from half a request until a node that is then told to stop has stopped."""
    found = node()
    began = time.monotonic()
    with send(found, HEALTH), ExitStack() as stack:
        stack.callback(found.end)
        assert once(found, "GET", "/healthz").status == 200  # so the half before it has been seen
        assert found.terminate() == 0
        return time.monotonic() - began


def test_told_to_stop_it_does_not_wait_for_half_a_request() -> None:
    assert at_best(stopping, ARRIVAL_SECONDS * 0.9) < ARRIVAL_SECONDS * 0.9


def test_a_body_in_chunks_is_read_as_any_other(server: Service) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (WRONG[:7], WRONG[7:]))
    line = send(
        server,
        LOGIN + CLOSE,
        b"Transfer-Encoding: chunked\r\n\r\n",
        chunks[:20],
        chunks[20:],
        b"0\r\n",
        b"\r\n",
    )
    assert '"login.failed"' in hear(line)


@pytest.mark.parametrize("query", [b"", b"?x=1"])
def test_many_questions_may_be_longer_than_anything_else(server: Service, query: bytes) -> None:
    head, body = MANY % query + CLOSE, b"[" * 2**20

    counted = hear(send(server, head, b"Content-Length: 1048576\r\n\r\n", body))
    chunked = hear(
        send(server, head, b"Transfer-Encoding: chunked\r\n\r\n100000\r\n", body, b"\r\n0\r\n\r\n")
    )

    assert "HTTP/1.1 401 " in counted
    assert "HTTP/1.1 401 " in chunked


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked_once_the_headers_are_there(
    server: Service,
) -> None:
    length = b"Content-Length: %d\r\n" % len(WRONG)
    line = send(server, LOGIN + CLOSE + length, b"Expect: 100-continue\r\n\r\n")
    assert line.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    line.sendall(WRONG)
    assert '"login.failed"' in hear(line)


@pytest.mark.parametrize(
    "request_",
    [HEALTH, b"GET /nowhere HTTP/1.1\r\nHost: x\r\n", b"TRACE / HTTP/1.1\r\nHost: x\r\n", b"BAD\r\n"],
)
def test_no_answer_says_what_the_server_is_made_of(server: Service, request_: bytes) -> None:
    answer = hear(send(server, request_, CLOSE, b"\r\n")).lower()
    assert "x-request-id: " in answer
    assert not [
        word for word in ("\r\nserver:", "x-powered-by", "gunicorn", "werkzeug", "python") if word in answer
    ]


def test_a_request_cannot_smuggle_another_behind_a_refused_one(server: Service) -> None:
    request, _ = REFUSED["a length and chunks"]
    assert hear(send(server, request + HEALTH + b"\r\n")).count("HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    ("hops", "recorded"), [("0", "127.0.0.1"), ("1", "203.0.113.9"), ("2", "198.51.100.7")]
)
def test_the_trail_knows_the_address_that_the_trusted_proxies_saw(hops: str, recorded: str) -> None:
    found = node(RBAC_PROXY_HOPS=hops)
    body = {"username": "admin", "password": PASSWORD}
    forwarded = {"X_Forwarded_For": "192.0.2.1, 198.51.100.7, 203.0.113.9", "X_Forwarded_Proto": "https"}
    with ExitStack() as stack:
        stack.callback(found.end)
        line = stack.enter_context(closing(found.connect()))
        token = call(line, "POST", "/v1/auth/login", None, body, **forwarded).json["access_token"]
        events = call(line, "GET", "/v1/audit/events?action=signin.succeeded", token).json["items"]
        assert [event["ip"] for event in events] == [recorded]


SILENT: dict[str, Callable[[int], bytes]] = {
    "say nothing": lambda _: b"",
    "say half a header": lambda n: HEALTH + b"A: " + b"a" * n,
    "send half a body": lambda n: LOGIN + b"Content-Length: 100\r\n\r\n" + b"a" * (n % 90),
    "send half a chunk": lambda n: CHUNKED + b"50\r\n" + b"a" * (n % 70),
    "keep half a second request": lambda n: HEALTH + b"\r\n" + HEALTH + b"A: " + b"a" * n,
    "never close after the last answer": lambda _: HEALTH + CLOSE + b"\r\n",
}


def slowest_answer(server: Service) -> float:
    """The longest of twenty calls by somebody else, in seconds."""
    statuses: list[int] = []
    taken = [seconds(lambda: statuses.append(once(server, "GET", "/readyz").status)) for _ in range(20)]
    assert set(statuses) == {200}
    return max(taken)


def test_two_hundred_clients_that_do_not_finish_keep_nobody_waiting(server: Service) -> None:
    with ExitStack() as stack:
        kinds = list(SILENT.values())
        crowd = [stack.enter_context(send(server, kinds[n % len(kinds)](n))) for n in range(CROWD)]
        opened = time.monotonic()
        assert slowest_answer(server) < ARRIVAL_SECONDS / 2
        for line in crowd:
            hear(line)  # until the server has had enough
        assert ARRIVAL_SECONDS / 2 < time.monotonic() - opened < ARRIVAL_SECONDS * 3


def test_the_stock_worker_would_have_kept_everybody_waiting() -> None:
    """The vulnerable twin: the same crowd before gunicorn's own threaded worker."""
    found = node(str(STOCK), PYTHONPATH=str(STOCK.parents[2]))
    with ExitStack() as stack:
        stack.callback(found.end)
        stack.callback(found.terminate)
        for n in range(CROWD):
            stack.enter_context(send(found, SILENT["say half a header"](n)))
        line = stack.enter_context(send(found, HEALTH, CLOSE, b"\r\n"))
        line.settimeout(PROMPT)
        with pytest.raises(TimeoutError):
            hear(line)
