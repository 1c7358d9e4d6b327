"""Addresses, origins and prefixes as real proxies and browsers write them: one form of each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from rbac_api.cli.request_framing import RequestBuffer
from rbac_api.formats.http_errors import TooLarge
from rbac_api.value_checks import browser_origin, client_address, is_prefix
from rbac_api.web.server.proxy_headers import within
from tests.builders import OpenNode, Stage
from tests.cast import ALICE, DAVE, PASSWORD

ADDRESSES = {
    "192.0.2.77": "192.0.2.77", "192.0.2.77:51008": "192.0.2.77", "[2001:db8::5]:443": "2001:db8::5", "[2001:db8::5]": "2001:db8::5",
    '"[2001:db8::5]:443"': "2001:db8::5", '"192.0.2.77:80"': "192.0.2.77", "2001:DB8:0:0::5": "2001:db8::5", "[192.0.2.7]": "192.0.2.7",
    "::ffff:192.0.2.77": "192.0.2.77", "[::ffff:192.0.2.77]:1": "192.0.2.77", "::ffff:c000:24d": "192.0.2.77",
    "192.0.2.77:": None, "192.0.2.77:port": None, "192.0.2.77:123456": None, "[2001:db8::5": None, "2001:db8::5]": None, "[]:1": None,
    "fe80::1%eth0": None, "[fe80::1%eth0]:1": None, "unknown": None, "": None, "192.0.2": None, "0300.0.2.1": None, "_x": None,
    "2001:db8::5:99999": None, "192.0.2.77 :80": None, "١.2.3.4": None, "192.0.2.77:８０": None,
}  # fmt: skip
ORIGINS = {
    "https://app.example.com:443": "https://app.example.com", "http://APP.example.com:80": "http://app.example.com",
    "HTTPS://app.example.com/": "https://app.example.com", "https://app.example.com:8443": "https://app.example.com:8443",
    "http://localhost:3000": "http://localhost:3000", "capacitor://localhost": "capacitor://localhost", "ionic://localhost": "ionic://localhost",
    "tauri://localhost": "tauri://localhost", "chrome-extension://abcdefghijklmnop": "chrome-extension://abcdefghijklmnop",
    "app://-": "app://-", "https://münchen.example": "https://xn--mnchen-3ya.example", "http://[::1]:3000": "http://[::1]:3000",
    "null": None, "*": None, "file://": None, "file:///home": None, "https://": None, "app.example.com": None, "//app.example.com": None,
    "https://app.example.com/path": None, "https://app.example.com?x": None, "https://app.example.com#x": None,
    "https://u@app.example.com": None,
    "https://app.example.com:99999": None, "https://*.example.com": None, "https://a b": None,
    "https://ä..example": None,
    "https://[::1": None, "": None, "javascript:alert(1)": None,
}  # fmt: skip
PREFIXES = {
    "/rbac": True, "/a/b-c/d_e": True, "/~team/x.y": True, "rbac": False, "/": False, "/rbac/": False, "//evil.example": False,
    "/a//b": False,
    "/a/../b": False, "/.": False, "/..": False, "/a b": False, "/a?b": False, "/a#b": False, "/a%2fb": False, "/a\\b": False, "/é": False,
    "/a\r\nX: y": False, "/" + "x" * 65: False, "/x" * 9: False, "https://evil.example": False,
}  # fmt: skip
BEHIND = {"X-Forwarded-For": "192.0.2.77:51008", "X-Forwarded-Prefix": "/rbac"}


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_has_one_form_without_port_and_brackets(text: str) -> None:
    assert client_address(text) == ADDRESSES[text]


@pytest.mark.parametrize("text", ORIGINS)
def test_an_origin_is_brought_to_the_form_of_browsers(text: str) -> None:
    assert browser_origin(text) == ORIGINS[text]


@pytest.mark.parametrize("text", PREFIXES)
def test_a_prefix_is_a_plain_path(text: str) -> None:
    assert is_prefix(text) is PREFIXES[text]


@pytest.fixture
def behind(node: OpenNode) -> Stage:
    """Behind one proxy."""
    return node(proxy_hops=1)


def signed_in_from(stage: Stage, forwarded: str) -> str:
    body = {"username": "dave", "password": PASSWORD}
    stage.caller().client.post("/v1/auth/login", json=body, headers={"X-Forwarded-For": forwarded})
    return str(stage.events("signin.succeeded")[-1]["ip"])


@pytest.mark.parametrize("sent", ["192.0.2.77:51008", "[2001:db8::5]:443", "203.0.113.9, [2001:DB8::5]:1"])
def test_the_trail_knows_the_client_whatever_the_proxy_writes_behind_the_address(
    behind: Stage, sent: str
) -> None:
    assert signed_in_from(behind, sent) == client_address(sent.rpartition(", ")[2])


def test_what_cannot_be_read_is_logged_once(behind: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    assert signed_in_from(behind, "unknown") == "127.0.0.1"
    assert signed_in_from(behind, "_hidden") == "127.0.0.1"

    said = [line for line in capsys.readouterr().err.splitlines() if "proxy.address_unreadable" in line]
    assert [json.loads(line)["header"] for line in said] == ["unknown"]


ADDRESS_HEADERS = ("Location", "Link")


def addresses(value: Any) -> Iterator[str]:
    """Every text in an answer's members that is an address of this service."""
    if isinstance(value, dict):
        for each in value.values():
            yield from addresses(each)
    elif isinstance(value, list):
        for each in value:
            yield from addresses(each)
    elif isinstance(value, str) and re.match(r"/(problems|v1|rbac)/", value):
        yield value


@pytest.fixture(params=["header", "setting", "setting, cut off by the proxy"])
def below(request: pytest.FixtureRequest, node: OpenNode) -> tuple[Stage, dict[str, str], str]:
    """A service under the prefix /rbac: how the proxy says so, and what it sends before each path."""
    if request.param == "header":
        return node(proxy_hops=1), BEHIND, ""
    return node(script_name="/rbac"), {}, "/rbac" if request.param == "setting" else ""


def test_every_address_in_an_answer_works_when_followed(below: tuple[Stage, dict[str, str], str]) -> None:
    stage, headers, sent = below
    alice = stage.as_(ALICE)
    asked = {**alice.headers, **headers}
    client = alice.client
    answers = [
        client.get(f"{sent}/v1/users?limit=1", headers=asked),
        client.post(f"{sent}/v1/users", json={"username": "erin"}, headers=asked),
        client.post(f"{sent}/v1/roles", json={"name": "clerk"}, headers=asked),
        client.get(f"{sent}/v1/nowhere", headers=asked),
        client.get(f"{sent}/v1/users?nonsense=1", headers=asked),
        client.put(f"{sent}/v1/users/dave/roles/none", headers=asked),
        client.get(f"{sent}/v1/users", headers=headers),
    ]

    followed = set()
    for answer in answers:
        links = re.findall(r"<([^>]+)>", answer.headers.get("Link", ""))
        followed |= {*addresses(answer.json), *links, *filter(None, [answer.headers.get("Location")])}
    assert len(followed) >= 6
    for address in followed:
        assert address.startswith("/rbac/"), address
        path = address.removeprefix("/rbac") if not sent else address
        assert client.get(path, headers=asked).status_code == 200, address


def test_the_document_names_the_prefix_as_its_server(below: tuple[Stage, dict[str, str], str]) -> None:
    stage, headers, sent = below

    document = stage.caller().client.get(f"{sent}/openapi.json", headers=headers).json

    assert document["servers"][0]["url"] == "/rbac"
    assert stage.app.test_client().get("/openapi.json").json["servers"][0]["url"] in ("/", "/rbac")


def test_a_slash_behind_the_prefix_is_no_part_of_it(behind: Stage) -> None:
    answer = behind.caller().client.get("/v1/users", headers={"X-Forwarded-Prefix": "/rbac/"})

    assert answer.json["type"] == "/rbac/problems/token.missing"


REFUSED = [text for text, good in PREFIXES.items() if not good and text.isprintable() and text.isascii()]


@pytest.mark.parametrize("prefix", [text for text in REFUSED if not text.endswith("c/")])
def test_a_prefix_that_is_no_plain_path_is_not_believed(behind: Stage, prefix: str) -> None:
    answer = behind.caller().client.get("/v1/users", headers={"X-Forwarded-Prefix": prefix})

    assert answer.json["type"] == "/problems/token.missing"


def test_without_a_trusted_proxy_no_prefix_is_believed(stage: Stage) -> None:
    answer = stage.caller().client.get("/v1/users", headers={"X-Forwarded-Prefix": "/rbac"})

    assert answer.json["type"] == "/problems/token.missing"


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("/rbac/v1/me", "/v1/me"),
        ("/rbac", "/"),
        ("/rbac/", "/"),
        ("/rbacx/v1", "/rbacx/v1"),
        ("/v1/me", "/v1/me"),
    ],
)
def test_a_path_is_taken_below_the_prefix_or_as_it_is(path: str, rest: str) -> None:
    assert within("/rbac", path) == rest


def test_large_policies_are_let_in_below_the_prefix_too() -> None:
    head = b"POST /rbac/v1/policy/plan HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
    inbox = RequestBuffer("/rbac")
    inbox.add(head)
    assert inbox.take() is None, "the rest of it may come"
    other = RequestBuffer()
    other.add(head)
    with pytest.raises(TooLarge):
        other.take()


def test_an_app_of_its_own_scheme_may_ask_once_for_hours_with_its_tracing(node: OpenNode) -> None:
    stage = node(cors_origins=("capacitor://localhost", "https://App.Example.com:443/"))
    for origin in ("capacitor://localhost", "https://app.example.com"):
        asked = {
            "Origin": origin, "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization,baggage,traceparent,tracestate",
        }  # fmt: skip
        answer = stage.caller().client.options("/v1/users", headers=asked)
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert (
            answer.headers["Access-Control-Allow-Headers"]
            == "authorization, baggage, traceparent, tracestate"
        )
        assert int(answer.headers["Access-Control-Max-Age"]) >= 600
        found = stage.as_(DAVE).client.get("/v1/me", headers={"Origin": origin})
        assert "Content-Disposition" in found.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    ("head", "origin"),
    [
        (b"GET / HTTP/1.1\r\nOrigin: https://a.example\r\n\r\n", "https://a.example"),
        (b"GET / HTTP/1.1\r\nX: y\r\norigin:https://a.example \r\nHost: a", "https://a.example"),
        (b"GET / HTTP/1.1\r\nX-Origin: https://a.example\r\n\r\n", ""),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nOrigin: https://a.example\r\n", ""),
        (b"GET / HTTP/1.1\r\nOrigin: a b\r\n\r\n", ""),
    ],
)
def test_the_origin_of_a_request_that_is_refused_is_read_from_its_head(head: bytes, origin: str) -> None:
    inbox = RequestBuffer()
    inbox.add(head)
    assert inbox.origin == origin
