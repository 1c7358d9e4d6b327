"""The served product below a prefix, and what a page of another origin reads of a request that never reached the application."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.faults.test_wire import hear, node
from tests.patience import PATIENCE
from tests.servers.service import Service

pytestmark = pytest.mark.outside

ORIGIN = "capacitor://localhost"
SHARED = "Access-Control-Allow-Origin: capacitor://localhost"


@pytest.fixture(scope="module")
def server() -> Iterator[Service]:
    """One node below /rbac for one origin; it stops in good order."""
    found = node(SCRIPT_NAME="/rbac", RBAC_CORS_ORIGINS=f"{ORIGIN}/,https://app.example.com:443")
    yield found
    code, output = found.terminate(), found.output()
    found.end()
    assert (code, output.count("Traceback")) == (0, 0), output


def ask(server: Service, head: str) -> str:
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as line:
        line.sendall(head.encode())
        return hear(line)


def request(line: str, *headers: str) -> str:
    return "\r\n".join((f"{line} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""))


@pytest.mark.parametrize("path", ["/rbac/healthz", "/healthz"])
def test_a_proxy_may_cut_the_prefix_off_or_leave_it(server: Service, path: str) -> None:
    assert ask(server, request(f"GET {path}")).startswith("HTTP/1.1 200")


def test_addresses_in_answers_have_the_prefix(server: Service) -> None:
    assert '"type":"/rbac/problems/token.missing"' in ask(server, request("GET /rbac/v1/me"))


def test_a_large_policy_is_let_in_below_the_prefix(server: Service) -> None:
    answer = ask(server, request("POST /rbac/v1/policy/plan", "Content-Length: 100000") + "x" * 100_000)

    assert answer.startswith("HTTP/1.1 401")


TOO_MUCH = {
    413: ("POST /rbac/v1/auth/login", ("Content-Length: 1000000",)),
    431: ("GET /rbac/healthz", tuple(f"X-{number}: {'x' * 4000}" for number in range(9))),
}


@pytest.mark.parametrize("status", TOO_MUCH)
@pytest.mark.parametrize(("origin", "shared"), [(ORIGIN, True), ("https://evil.example", False)])
def test_a_page_reads_that_its_request_was_too_much(
    server: Service, status: int, origin: str, shared: bool
) -> None:
    line, headers = TOO_MUCH[status]

    answer = ask(server, request(line, f"Origin: {origin}", *headers))

    assert answer.startswith(f"HTTP/1.1 {status}")
    assert (SHARED in answer) is shared
    assert ("Vary: Origin" in answer) is shared
