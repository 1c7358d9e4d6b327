"""The surface of HTTP: other origins, caches, headers, proxies."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from tests.builders import OpenNode, Stage
from tests.cast import ALICE, BOB, CAROL, DAVE, PASSWORD
from tests.contract.operations import operations

GOOD, SECOND, SIX = "https://console.example.com", "http://localhost:3000", "http://[::1]:3000"
EVIL = [
    "https://evil.example.com", "null", "https://console.example.com.evil.net", "https://evil-console.example.com", "https://example.com",
    "https://console.example.com:8443", "http://console.example.com", "https://console.example.com/", "https://consolexexample.com",
    "https://sub.console.example.com", "http://1:3000", "http://:3000", "*", "https://console.example.com\thttps://evil.net",
]  # fmt: skip
PATHS = ["/v1/users", "/v1/%2buser", "/v1/users+", "/openapi.json", "/nowhere"]


@pytest.fixture
def browsers(node: OpenNode) -> Stage:
    """An application that answers three origins."""
    return node(cors_origins=(GOOD, SECOND, SIX))


@pytest.mark.parametrize("origin", [GOOD, SECOND, SIX])
def test_an_origin_that_is_allowed_reads_answers_and_their_headers(browsers: Stage, origin: str) -> None:
    answer = browsers.as_(CAROL).get("/v1/users?limit=1", headers={"Origin": origin})

    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert {"ETag", "Link", "Authz-Stale"} <= set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    assert (
        answer.headers["Access-Control-Allow-Credentials"] == "true"
    )  # for cookies, which go to the same site alone
    assert "X-CSRF-TOKEN" in answer.headers["Access-Control-Expose-Headers"]
    assert "Origin" in answer.headers["Vary"]


def test_an_origin_that_is_allowed_may_ask_beforehand(browsers: Stage) -> None:
    asked = {
        "Origin": GOOD,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization, if-match, x-csrf-token, x-evil",
    }

    answer = browsers.caller().client.options("/v1/users", headers=asked)

    assert answer.headers["Access-Control-Allow-Origin"] == GOOD
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization, if-match, x-csrf-token"
    assert answer.data == b""


def test_no_other_origin_reads_anything(browsers: Stage) -> None:
    client = browsers.caller().client

    for origin, path, method in product(EVIL, PATHS, ("GET", "OPTIONS", "POST")):
        headers = {"Origin": origin, "Access-Control-Request-Method": "DELETE"}
        answer = client.open(path, method=method, headers=headers)
        assert shared(answer) == [], (origin, path, method)
        assert "Origin" in answer.headers["Vary"]


def shared(answer: Any) -> list[str]:
    """The headers that let another origin's page read this answer."""
    return [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_without_configured_origins_nobody_elses_page_reads_anything(stage: Stage) -> None:
    answer = stage.caller().get("/healthz", headers={"Origin": GOOD})

    assert shared(answer) == []


def test_no_answer_to_somebody_known_or_refused_is_kept_by_a_cache(stage: Stage) -> None:
    callers = [stage.as_(ALICE), stage.as_(DAVE), stage.caller()]
    names = {
        "user_id": stage.user_id(DAVE),
        "session_id": stage.user_id(DAVE),
        "role": "clerk",
        "junior": "clerk",
    }
    names |= {"permission": "no:thing", "domain": "nowhere", "seq": "1", "code": "access.denied"}

    for operation in sorted(operations(stage.app), key=lambda found: found.id == "logout"):
        if not operation.public:
            for caller in callers:
                known = dict.fromkeys(operation.parameters, stage.user_id(DAVE)) | names
                answer = caller.call(operation.method, operation.at(known), json=operation.example())
                assert answer.headers["Cache-Control"] == "no-store", operation.id


def test_tokens_are_kept_by_no_cache(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    login = {"username": "alice", "password": PASSWORD}

    for path, body in (
        ("/v1/auth/login", login),
        ("/v1/auth/login", {**login, "password": "wrong"}),
        ("/v1/auth/refresh", {"refresh_token": alice.tokens["refresh_token"]}),
        ("/v1/auth/refresh", {"refresh_token": "wrong"}),
    ):
        assert stage.caller().post(path, json=body).headers["Cache-Control"] == "no-store"


def test_what_is_unchanged_for_alice_is_still_refused_to_dave(stage: Stage) -> None:
    path = f"/v1/users/{stage.user_id(DAVE)}"
    tag = {"If-None-Match": stage.as_(ALICE).get(path).headers["ETag"]}

    assert stage.as_(BOB).get(path, headers=tag).status_code == 304
    assert stage.as_(DAVE).get(path, headers=tag).status_code == 403
    assert stage.caller().get(path, headers=tag).status_code == 401


@pytest.mark.parametrize(
    "sent", ["a\r\nSet-Cookie: x=1", "a b", "ü", "x" * 129, "<script>", "", "a\x00b", "a\tb"]
)
def test_a_request_id_that_is_no_decent_name_is_replaced(stage: Stage, sent: str) -> None:
    environ = {"HTTP_X_REQUEST_ID": sent.encode().decode("latin-1")}

    answer = stage.caller().client.get("/healthz", environ_overrides=environ)

    assert answer.headers["X-Request-ID"] != sent
    assert len(answer.headers["X-Request-ID"]) == 32
    assert "Set-Cookie" not in answer.headers


def test_a_decent_request_id_is_kept_echoed_and_recorded(stage: Stage) -> None:
    answer = stage.as_(DAVE).get("/v1/users", headers={"X-Request-ID": "order-66.retry_2"})

    assert answer.headers["X-Request-ID"] == answer.json["request_id"] == "order-66.retry_2"
    assert stage.events("access.refused")[-1]["request_id"] == "order-66.retry_2"


def test_nothing_that_was_sent_breaks_out_of_a_header(stage: Stage) -> None:
    alice, hostile = stage.as_(ALICE), "%0d%0aSet-Cookie:%20x=1"

    answers = [
        alice.get(f"/v1/users?limit=1&q=a{hostile}"),
        alice.get("/v1/users?limit=1&q=%22%3E%3Cscript%3E"),
        alice.get(f"/v1/roles/{hostile}"),
        alice.post("/v1/users", json={"username": "x"}, headers={"Idempotency-Key": "k"}),
        stage.as_(DAVE).put(f"/v1/roles/{hostile}/permissions/{hostile}"),
    ]

    for answer in answers:
        assert "Set-Cookie" not in answer.headers
        assert all("\r" not in value and "\n" not in value for value in answer.headers.values())


def test_no_answer_tells_what_serves_it_nor_sets_a_cookie(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    for path in ("/v1/me", "/healthz", "/docs", "/openapi.json", "/nowhere", "/v1/users/nobody"):
        answer = alice.client.get(path, headers=alice.headers)
        assert not {"Server", "X-Powered-By", "Set-Cookie"} & set(answer.headers.keys())
        assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"]


FORWARDED = {"X-Forwarded-For": "198.51.100.1, 198.51.100.2, 198.51.100.3"}


@pytest.mark.parametrize(
    ("hops", "address"), [(0, "127.0.0.1"), (1, "198.51.100.3"), (2, "198.51.100.2"), (3, "198.51.100.1")]
)
def test_the_trail_knows_the_address_that_the_trusted_proxies_vouch_for(
    stage: Stage, node: OpenNode, hops: int, address: str
) -> None:
    there = node(proxy_hops=hops)
    dave = there.as_(DAVE)

    dave.get("/v1/users", headers=FORWARDED)
    login = {"username": "carol", "password": PASSWORD}
    there.caller().post("/v1/auth/login", json=login, headers=FORWARDED)

    assert stage.events("access.refused")[-1]["ip"] == address
    assert stage.as_(CAROL).get("/v1/sessions?user=carol").json["items"][1]["ip"] == address


@pytest.mark.parametrize(
    "header",
    [
        {"X-Forwarded-For": "203.0.113.9"}, {"X-Real-IP": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"},
        {"X-Forwarded-Host": "evil.example.com"}, {"X-Forwarded-Prefix": "/evil"}, {"X-Forwarded-Proto": "gopher"},
    ],
)  # fmt: skip
def test_without_a_proxy_nobody_is_believed_about_where_he_comes_from(
    stage: Stage, header: dict[str, str]
) -> None:
    stage.as_(DAVE).get("/v1/users", headers=header)
    page = stage.caller().client.get("/docs", headers=header)

    assert stage.events("access.refused")[-1]["ip"] == "127.0.0.1"
    assert "evil" not in page.text
