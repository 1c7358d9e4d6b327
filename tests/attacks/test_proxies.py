"""What a client says in a proxy's name: believed from as many proxies as are configured, and nothing of it ever decides who may what."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from rbac_api.factory import close_app, create_app
from tests.attacks.conftest import OpenNode
from tests.attacks.targets import Environ, Target, bearing, facts, shoot, targets
from tests.builders import Caller, Stage
from tests.cast import ALICE, CAROL, DAVE, PASSWORD
from tests.contract.answers import AnswerChecker

CLAIMED = 150  # different headers, each with 0, 1 and 2 proxies
HOPS = (0, 1, 2)
KINDS = ("read", "write", "membership", "protocol")
OWN = ("/v1/me", "/v1/me/sessions", "/v1/auth/logout", "/oauth/revoke")  # what Dave may do
PEER = "127.0.0.1"  # where the test client comes from
CHAINS: tuple[tuple[str, tuple[str, str, str]], ...] = (  # what is sent, and who that is behind 0, 1 and 2 proxies
    ("198.51.100.1", (PEER, "198.51.100.1", PEER)),
    ("198.51.100.1, 198.51.100.2", (PEER, "198.51.100.2", "198.51.100.1")),
    ("10.0.0.1, 127.0.0.1, 198.51.100.1, 198.51.100.2", (PEER, "198.51.100.2", "198.51.100.1")),
    ("198.51.100.1,198.51.100.2", (PEER, "198.51.100.2", "198.51.100.1")),
    (" 198.51.100.1 , 198.51.100.2 ", (PEER, "198.51.100.2", "198.51.100.1")),
    ("2001:db8::1, 2001:db8::2", (PEER, "2001:db8::2", "2001:db8::1")),
    (", ".join(["203.0.113.9"] * 500 + ["198.51.100.1", "198.51.100.2"]), (PEER, "198.51.100.2", "198.51.100.1")),
)  # fmt: skip
NO_ADDRESS = (
    "unknown", "_hidden", "' OR 1=1 --", "<script>", "x" * 65, "x" * 7000, "\0", "\u00e9", "1.2.3.4\0", "999.1.1.1", "1.2.3", "0x7f.1",
    "127.0.0.1%00", "\u0661.2.3.4", "=cmd|' /C calc'!A0", "a\tb", "[]", "::ffff:1.2.3.4.5", "2130706433", "localhost", "..", "-",
)  # fmt: skip
PROTOCOLS = (
    "http",
    "https",
    "gopher",
    "javascript",
    "https, http",
    "",
    "x" * 5000,
    "https\0",
    "\u00e9",
    "HTTPS ",
    "file:///etc/passwd",
    "//",
)
HOSTS = (
    "evil.example", "evil.example:99999999", "evil.example, other.example", "\u00e9vil.example", 'evil"><script>', "a b", "", ":", "[::1]",
    "[evil", "evil.example/path?x#y", "user@evil.example", "evil\0", "evil.example.", "-", "127.0.0.1:8000@evil.example",
)  # fmt: skip
PORTS = ("443", "0", "-1", "99999999", "evil", "", "\u0661", "80, 443", "8\0", "1e3")
OTHERS = (
    "X-Forwarded-Server",
    "X-Real-IP",
    "Forwarded",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
)


def variable(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")


def headers() -> list[Environ]:
    """Every lie about where a request comes from and what it was sent to."""
    named = (
        ("X-Forwarded-For", [chain for chain, _ in CHAINS] + list(NO_ADDRESS)),
        ("X-Forwarded-Proto", PROTOCOLS),
        ("X-Forwarded-Host", HOSTS),
        ("X-Forwarded-Port", PORTS),
        ("Host", HOSTS),
    )
    lies = [{variable(name): value} for name, values in named for value in values]
    return [
        *lies,
        *(
            {variable(name): value}
            for name, value in product(OTHERS, ("10.0.0.1", "for=10.0.0.1", "/evil", "x" * 300, "\0"))
        ),
    ]


@pytest.fixture(scope="module")
def kept() -> Iterator[dict[tuple[str, int], Stage]]:
    """The nodes of this module: starting one for each test would take longer than the tests."""
    found: dict[tuple[str, int], Stage] = {}
    yield found
    for each in found.values():
        close_app(each.app)


@pytest.fixture(params=HOPS)
def behind(request: pytest.FixtureRequest, stage: Stage, kept: dict[tuple[str, int], Stage]) -> Stage:
    """A node behind so many trusted proxies, which remembers nothing of the scene before."""
    key = (stage.engine, request.param)
    if key not in kept:
        settings = replace(stage.settings, proxy_hops=request.param)
        app = create_app(settings)
        kept[key] = Stage(stage.engine, settings, app, AnswerChecker(app))
    found = kept[key]
    found.guard.snapshot.forget()
    found.guard.bearer._remembered.clear()
    found.guard.refusals.forget()
    return found


def latin(environ: Environ) -> Environ:
    """As WSGI has it: the bytes that were sent, each as one character."""
    return {name: value.encode().decode("latin-1") for name, value in environ.items()}


def test_the_corpus_is_as_large_as_it_is_said_to_be() -> None:
    assert len({repr(lie) for lie in headers()}) >= CLAIMED / len(HOPS)
    assert len(headers()) * len(HOPS) >= CLAIMED


def test_no_lie_about_the_way_changes_what_nobody_is_told(behind: Stage) -> None:
    """On three routes of each kind, with and without the lie, the same answer."""
    before, wrong = facts(behind), []

    for aim in targets(behind):
        plain = shoot(behind, aim, {})
        answers = ((lie, shoot(behind, aim, latin(lie))) for lie in decent())
        wrong += [f"{lie} at {aim}: {answer}, not {plain}" for lie, answer in answers if answer != plain]
        assert plain.status in (400, 401)

    assert wrong == []
    assert facts(behind) == before


def test_no_lie_about_the_way_gives_dave_a_right(behind: Stage) -> None:
    """Each lie on one route of each kind, by turns."""
    dave = bearing(behind.as_(DAVE).tokens["access_token"])
    kinds = [[aim for aim in targets(behind) if aim.kind == kind and aim.path not in OWN] for kind in KINDS]
    before = facts(behind)

    statuses = {
        shoot(behind, aims[turn % len(aims)], {**dave, **latin(lie)}).status
        for turn, lie in enumerate(decent())
        for aims in kinds
    }

    assert statuses == {403, 401}, "401 from introspection, as RFC 7662 has it"
    assert facts(behind) == before


def decent() -> list[Environ]:
    """Without the one thing that has a test of its own: an X-Forwarded-For that is no address."""
    return [lie for lie in headers() if lie.get("HTTP_X_FORWARDED_FOR") not in NO_ADDRESS]


def test_no_lie_about_the_way_gets_into_an_honest_answer(behind: Stage) -> None:
    alice = behind.as_(ALICE)
    paths = ("/v1/users?limit=1", "/docs", "/.well-known/oauth-authorization-server", "/nowhere")
    plain = {path: seen(alice, path, {}) for path in paths}

    wrong = [
        (host, path)
        for host, path in product(HOSTS, paths)
        if seen(
            alice,
            path,
            {"HTTP_HOST": host, "HTTP_X_FORWARDED_HOST": host, "HTTP_X_FORWARDED_PREFIX": "//evil.example"},
        )
        != plain[path]
    ]

    assert wrong == []
    assert all("evil" not in str(answer) for answer in plain.values())


def seen(caller: Caller, path: str, lie: Environ) -> Any:
    """Status, headers and body, without what differs each time."""
    answer = caller.client.get(path, headers=caller.headers, environ_overrides=dict(latin(lie)))
    headers = {name: value for name, value in answer.headers if name not in ("X-Request-ID", "Date")}
    return answer.status_code, headers, answer.text.replace(answer.headers["X-Request-ID"], "")


def test_a_location_is_where_the_client_asked_and_nowhere_else(behind: Stage) -> None:
    alice = behind.as_(ALICE)

    for number, host in enumerate(HOSTS):
        lie = latin({"HTTP_HOST": host, "HTTP_X_FORWARDED_HOST": host})
        body = {"name": f"role-{number}"}
        answer = alice.client.post("/v1/roles", json=body, headers=alice.headers, environ_overrides=dict(lie))
        assert (answer.status_code, answer.headers.get("Location")) == (201, f"/v1/roles/role-{number}"), host


def test_a_host_longer_than_any_is_refused_alike(behind: Stage) -> None:
    me = bearing(behind.as_(ALICE).tokens["access_token"])

    answers = {repr(shoot(behind, aim, {**me, "HTTP_HOST": "x" * 5000}).status) for aim in targets(behind)}

    assert answers == {"400"}


def test_the_trail_knows_who_it_was_behind_so_many_proxies(behind: Stage) -> None:
    login = Target("login", "POST", "/v1/auth/login", 200, {"username": "carol", "password": PASSWORD})
    dave = bearing(behind.as_(DAVE).tokens["access_token"])

    for chain, addresses in CHAINS:
        lie = {"HTTP_X_FORWARDED_FOR": chain}
        behind.guard.refusals.forget()  # a repetition would only be counted
        assert shoot(behind, login, lie).status == 200
        assert shoot(behind, targets(behind)[0], {**dave, **lie}).status == 403
        seen_from = [behind.events(action)[-1]["ip"] for action in ("access.refused", "signin.succeeded")]
        assert seen_from == [addresses[behind.settings.proxy_hops]] * 2, chain


def test_what_is_no_address_is_nobodys_and_breaks_nothing(behind: Stage) -> None:
    """Whoever comes past the proxies writes what he likes: the sign-in counts, and the trail shows an address or none."""
    login = Target("login", "POST", "/v1/auth/login", 200, {"username": "carol", "password": PASSWORD})
    wrong = Target("login", "POST", "/v1/auth/login", 401, {"username": "nobody", "password": "x" * 20})
    lies = [latin({"HTTP_X_FORWARDED_FOR": f"{text}, {text}"}) for text in NO_ADDRESS]

    statuses = {
        repr(lie)[:60]: (shoot(behind, login, lie).status, shoot(behind, wrong, lie).status) for lie in lies
    }
    recorded = {event["ip"] for event in behind.events() if event["action"].startswith("signin.")}

    assert {lie: found for lie, found in statuses.items() if found != (200, 401)} == {}
    assert {ip for ip in recorded if not is_address(ip)} == set()


def is_address(text: str | None) -> bool:
    try:
        return text is None or ipaddress.ip_address(text) is not None
    except ValueError:
        return False


@pytest.mark.usefixtures("frozen")  # so that no window ends meanwhile
def test_a_limit_per_address_is_not_got_round_by_lies(node: OpenNode) -> None:
    wrong = Target("login", "POST", "/v1/auth/login", 401, {"username": "nobody", "password": "x" * 20})

    for hops in HOPS:
        there = node(proxy_hops=hops, signin_limit="3 per year")
        truth = [
            "203.0.113.7"
        ] * hops  # what the trusted proxies add: her address, and that of the one before
        tries = [
            shoot(there, wrong, {"HTTP_X_FORWARDED_FOR": ", ".join([f"10.0.0.{number}", *truth])}).status
            for number in range(5)
        ]
        elsewhere = {"HTTP_X_FORWARDED_FOR": ", ".join(["10.0.0.1", *(["203.0.113.8"] * hops)])}
        assert tries == [401, 401, 401, 429, 429], hops
        assert shoot(there, wrong, elsewhere).status == (401 if hops else 429)


def test_an_honest_request_through_a_proxy_passes(behind: Stage) -> None:
    carol = behind.as_(CAROL)
    way = {
        "X-Forwarded-For": "198.51.100.1, 198.51.100.2",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "rbac.example",
    }

    assert carol.get("/v1/users", headers=way).status_code == 200
