"""Sign-in attempts per address: counted wherever a password can be guessed, and by the address that really asks."""

from __future__ import annotations

from typing import Any

import pytest
from time_machine import Traveller
from werkzeug.test import TestResponse

from rbac_api.web.server.rate_limits import network_of
from tests.builders import OpenNode, Stage
from tests.cast import DAVE, NEW_PASSWORD, PASSWORD


def attempt(stage: Stage, address: str = "203.0.113.7", **headers: str) -> TestResponse:
    body = {"username": "dave", "password": PASSWORD}
    options = {"environ_base": {"REMOTE_ADDR": address}, "headers": headers}
    return stage.caller().post("/v1/auth/login", json=body, **options)


def statuses(stage: Stage, times: int, **headers: str) -> list[int]:
    return [attempt(stage, **headers).status_code for _ in range(times)]


def test_the_fourth_attempt_of_an_address_is_told_when_to_come_back(
    node: OpenNode, frozen: Traveller
) -> None:
    strict = node(signin_limit="3 per minute")
    assert statuses(strict, 3) == [200, 200, 200]

    refused = attempt(strict)

    assert (refused.status_code, refused.json["code"]) == (429, "rate.exceeded")
    assert 1 <= int(refused.headers["Retry-After"]) <= 61  # a minute that began just now, in whole seconds
    assert attempt(strict, "203.0.113.8").status_code == 200
    frozen.shift(120)
    assert attempt(strict).status_code == 200


def test_a_made_up_forwarding_header_does_not_begin_a_new_count(node: OpenNode) -> None:
    strict = node(signin_limit="2 per year")
    spoofed = [attempt(strict, **{"X-Forwarded-For": f"198.51.100.{n}"}).status_code for n in range(4)]

    assert spoofed == [200, 200, 429, 429]


def test_behind_one_proxy_the_address_it_reports_counts_and_no_earlier_one(node: OpenNode) -> None:
    strict = node(signin_limit="2 per year", proxy_hops=1)
    first = [
        attempt(strict, **{"X-Forwarded-For": f"10.9.8.{n}, 198.51.100.1"}).status_code for n in range(3)
    ]

    assert first == [200, 200, 429]
    assert attempt(strict, **{"X-Forwarded-For": "198.51.100.2"}).status_code == 200
    assert strict.query("SELECT DISTINCT ip FROM sessions ORDER BY ip") == [
        ("198.51.100.1",),
        ("198.51.100.2",),
    ]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/auth/password-setup", {"token": "rbac-setup-guess", "new_password": NEW_PASSWORD}),
        ("/v1/me/password", {"current_password": "guess", "new_password": NEW_PASSWORD}),
    ],
)
def test_guessing_elsewhere_is_limited_too(
    stage: Stage, node: OpenNode, path: str, body: dict[str, str]
) -> None:
    strict = node(signin_limit="3 per year")
    caller = strict.as_(DAVE)  # the first of them: all that can be guessed at counts together

    found = [caller.post(path, json=body) for _ in range(3)]

    assert found[2].status_code == 429
    assert found[2].json["code"] == "rate.exceeded"
    assert {answer.status_code for answer in found[:2]} <= {401, 403}


@pytest.mark.parametrize(("prefix", "good"), [(64, 2), (128, 12), (56, 2)])
def test_twelve_addresses_of_one_ipv6_network_are_one(node: OpenNode, prefix: int, good: int) -> None:
    strict = node(signin_limit="2 per year", ipv6_prefix=prefix)

    found = [attempt(strict, f"2001:db8:1:2::{n:x}").status_code for n in range(1, 13)]

    assert found == [200] * good + [429] * (12 - good)
    assert attempt(strict, "2001:db8:1:3::1").status_code == (429 if prefix == 56 else 200)
    assert attempt(strict, "2001:db8:2:2::1").status_code == 200


def test_every_limit_per_address_knows_the_network(node: OpenNode) -> None:
    strict = node(signin_limit="1 per year", token_limit="1 per year")
    calls = (
        ("/v1/auth/login", {"json": {"username": "dave", "password": PASSWORD}}),
        ("/v1/auth/password-setup", {"json": {"token": "rbac-setup-x", "new_password": NEW_PASSWORD}}),
        ("/v1/auth/refresh", {"json": {"refresh_token": "x"}}),
        ("/oauth/token", {"data": {"grant_type": "client_credentials"}}),
        ("/oauth/revoke", {"data": {"token": "x"}}),
        ("/oauth/introspect", {"data": {"token": "x"}}),
    )
    seen = {"signin": 0, "token": 0}

    for number, (path, sent) in enumerate(calls):
        address = {"REMOTE_ADDR": f"2001:db8::{number + 1:x}"}
        answer: Any = strict.caller().client.post(path, environ_base=address, **sent)
        group = "signin" if number < 2 else "token"
        assert (answer.status_code == 429) == (seen[group] > 0), path
        seen[group] += 1


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),  # the same host, as a socket for both families shows it
        ("::FFFF:CB00:7107", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("unix:/run/rbac.sock", "unix:/run/rbac.sock"),
        ("", ""),
        (None, None),
    ],
)
def test_one_visitor_is_written_in_one_way(address: str | None, network: str | None) -> None:
    assert network_of(address, 64) == network


def test_an_ipv4_address_inside_ipv6_is_counted_with_itself(node: OpenNode) -> None:
    strict = node(signin_limit="1 per year")

    assert [attempt(strict, address).status_code for address in ("203.0.113.7", "::ffff:203.0.113.7")] == [
        200,
        429,
    ]
    assert attempt(strict, "::ffff:203.0.113.8").status_code == 200
