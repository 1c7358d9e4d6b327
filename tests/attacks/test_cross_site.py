"""Another site's page makes Alice's browser send her cookies, and Mallory plants others: nothing is written, nobody confused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import pytest

from rbac_api.guard.errors import CsrfFailed, TokenInvalid, TokenMissing
from tests.attacks.browsers import ACCESS, REFRESH, Browser, browser
from tests.attacks.targets import (
    UNKNOWN,
    Case,
    Environ,
    Target,
    bearing,
    facts,
    honest,
    shoot,
    targets,
    unlike,
)
from tests.attacks.test_mixed_kinds import refresh_with
from tests.builders import Stage
from tests.capabilities.second_factor.device import PROOF
from tests.cast import ALICE, BOB, PASSWORD
from tests.contract.operations import operations

CLAIMED = 60
SITES = (
    "https://evil.example",
    "null",
    "https://rbac.test.evil.example",
    "http://127.0.0.1:8000.evil.example",
)


def writing(stage: Stage) -> list[Target]:
    """Three routes of each kind that writes, where cookies count; and those of one's own account."""
    sweep = {"filter": {"user": "carol"}, "expected_count": 0, "reason": "x"}
    own = [
        Target("own", "PATCH", "/v1/me", 200, {"display_name": "Stolen"}),
        Target("own", "POST", "/v1/me/totp", 201, json=PROOF),
        Target("own", "POST", "/v1/sessions/revocations", 200, sweep),
    ]
    kinds = [aim for aim in targets(stage) if aim.method != "GET" and not aim.path.startswith("/oauth/")]
    return [*own, *kinds]


def wrong_tokens(alice: Browser, bob: Browser) -> list[tuple[str, Environ]]:
    """Everything that is not the CSRF token of Alice's session, or not where it belongs."""
    values = {
        "another's": bob.csrf, "empty": "", "a space": " ", "cut": alice.csrf[:-1], "longer": alice.csrf + "A",
        "lower case": alice.csrf.lower(), "upper case": alice.csrf.upper(), "swapped": alice.csrf.swapcase(), "padded": alice.csrf + "=",
        "quoted": f'"{alice.csrf}"', "twice": f"{alice.csrf},{alice.csrf}", "twice with a space": f"{alice.csrf}, {alice.csrf}",
        "with another": f"{bob.csrf},{alice.csrf}", "reversed": alice.csrf[::-1], "session id": alice.session_id,
        "access token": alice.access, "refresh token": alice.refresh, "null": "null", "undefined": "undefined", "true": "true",
        "zero": "0", "zeros": "A" * 43, "NUL": alice.csrf + "\0", "not ASCII": "\u00e9" * 43, "bearer": f"Bearer {alice.csrf}",
        "long": "A" * 8000, "semicolon": f"{alice.csrf};", "array": f"[{alice.csrf!r}]", "percent": "%" + alice.csrf,
        "first bit": chr(ord(alice.csrf[0]) ^ 1) + alice.csrf[1:],
    }  # fmt: skip
    elsewhere = (
        "X-XSRF-TOKEN", "X-CSRFTOKEN", "CSRF-TOKEN", "X-CSRF", "XSRF-TOKEN", "X-Anti-Forgery", "RequestVerificationToken",
    )  # fmt: skip
    return [
        ("none", {}),
        *((name, {"HTTP_X_CSRF_TOKEN": value}) for name, value in values.items()),
        *((f"in {name}", {variable(name): alice.csrf}) for name in elsewhere),
    ]


def variable(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")


def other_pages(alice: Browser) -> list[Case]:
    """What a browser sends for a page of somebody else's, in every way such a page can make it send anything."""
    origins = [(f"from {site}", {"HTTP_ORIGIN": site, "HTTP_REFERER": f"{site}/x"}) for site in SITES]
    fetched = [
        (f"fetched {site}", {"HTTP_SEC_FETCH_SITE": site})
        for site in ("cross-site", "same-site", "same-origin", "none")
    ]
    in_cookie = [
        (f"as a cookie {name}", {"HTTP_COOKIE": f"{alice.cookies['HTTP_COOKIE']}; {name}={alice.csrf}"})
        for name in ("csrf_token", "X-CSRF-TOKEN", "__Host-rbac-csrf", "XSRF-TOKEN", "csrf_access_token")
    ]
    sneaky = [
        (f"method {method}", {"HTTP_X_HTTP_METHOD_OVERRIDE": method}) for method in ("GET", "HEAD", "OPTIONS")
    ]
    return [
        (name, {**alice.cookies, **environ}) for name, environ in [*origins, *fetched, *in_cookie, *sneaky]
    ]


def corpus(alice: Browser, bob: Browser) -> list[Case]:
    return [
        *((name, {**alice.cookies, **environ}) for name, environ in wrong_tokens(alice, bob)),
        *other_pages(alice),
        *planted(alice, bob),
    ]


def planted(alice: Browser, bob: Browser) -> list[Case]:
    """Mallory has set a cookie beside Alice's, under a name that a careless reader takes for ours: hers alone counts."""
    csrf = {"HTTP_X_CSRF_TOKEN": bob.csrf}
    mine = alice.cookies["HTTP_COOKIE"]
    names = (
        "rbac-access",
        "__Secure-rbac-access",
        "__host-rbac-access",
        "__HOST-RBAC-ACCESS",
        "__Host-rbac-access\t",
        "\u00a0__Host-rbac-access",
    )
    return [(f"planted {name!r}", {"HTTP_COOKIE": f"{mine}; {name}={bob.access}", **csrf}) for name in names]


def test_the_corpus_is_as_large_as_it_is_said_to_be(stage: Stage) -> None:
    found = corpus(browser(stage, ALICE), browser(stage, BOB))

    assert len({repr(environ) for _, environ in found}) >= CLAIMED


def test_nothing_is_written_without_the_sessions_own_csrf_token(stage: Stage) -> None:
    alice, bob, aims = browser(stage, ALICE), browser(stage, BOB), writing(stage)
    before = facts(stage)

    assert unlike(stage, aims, corpus(alice, bob), CsrfFailed, 403) == []

    assert facts(stage) == before
    assert honest(stage, alice.own_page, aims[1:]) == []


def test_signing_out_and_refreshing_by_cookie_need_it_as_well(stage: Stage) -> None:
    alice, bob = browser(stage, ALICE), browser(stage, BOB)
    refresh = [refresh_with()]
    before = facts(stage)

    assert unlike(stage, refresh, corpus(alice, bob), CsrfFailed, 403) == []

    assert facts(stage) == before
    assert honest(stage, alice.own_page, refresh) == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_nothing_changes_by_a_method_that_any_link_can_use(stage: Stage, method: str) -> None:
    """Every address there is, asked with Alice's cookies as a picture on another page would: only reading of the trail is recorded."""
    alice = browser(stage, ALICE)
    names = {
        "user_id": stage.user_id(BOB),
        "session_id": alice.session_id,
        "role": "role-manager",
        "seq": "1",
        "code": "access.denied",
    }
    names |= {
        "junior": "auditor",
        "permission": "invoices:read",
        "domain": "acme",
        "kid": stage.guard.keyring.active().kid,
    }
    paths = {found.at(defaultdict(lambda: UNKNOWN, names)) for found in operations(stage.app)}
    before, told = facts(stage), len(written(stage))

    statuses = {shoot(stage, Target("link", method, path, 200), alice.cookies).status for path in paths}

    assert len(paths) > 40
    assert max(statuses) < 500
    assert 200 in statuses
    assert facts(stage) == before
    assert len(written(stage)) == told


def written(stage: Stage) -> list[str]:
    """The events of the trail, but for those that say that somebody read it."""
    return [event["action"] for event in stage.events() if not event["action"].startswith("audit.")]


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/json",
    ],
)
def test_no_form_of_another_site_gets_through_whatever_it_calls_its_body(stage: Stage, kind: str) -> None:
    alice = browser(stage, ALICE)
    before = facts(stage)

    answers = [shoot(stage, aim, {**alice.cookies, "CONTENT_TYPE": kind}).status for aim in writing(stage)]

    assert set(answers) == {403}
    assert facts(stage) == before


def spellings(alice: Browser, bob: Browser) -> list[Case]:
    """Cookies that are not written as a browser writes ours."""
    mine, hers = f"{ACCESS}={alice.access}", f"{ACCESS}={bob.access}"
    lines = [
        f"{mine}; {hers}", f"{hers}; {mine}", f"{mine}; {mine}", f"{mine}; {ACCESS}=", f'{ACCESS}="{alice.access}"', f"{mine}=",
        f"{mine}, {hers}", f"{ACCESS}=Bearer {alice.access}", f"{ACCESS}= {alice.access} x", f"{ACCESS}={alice.refresh}", f"{mine}\0",
        f"{ACCESS}=nonsense", f"{mine}\t", f"{ACCESS}=%65{alice.access[1:]}",
    ]  # fmt: skip
    return [(line[:40], {"HTTP_COOKIE": line, "HTTP_X_CSRF_TOKEN": alice.csrf}) for line in lines]


def test_a_cookie_that_is_not_written_as_ours_is_as_good_as_nonsense(stage: Stage) -> None:
    alice, bob = browser(stage, ALICE), browser(stage, BOB)
    aims = [aim for aim in targets(stage) if not aim.path.startswith("/oauth/")]
    cases = spellings(alice, bob)

    assert (
        unlike(stage, aims, [("nonsense", {"HTTP_COOKIE": f"{ACCESS}=nonsense"}), *cases], TokenInvalid) == []
    )
    assert honest(stage, alice.own_page, aims[:3]) == []


def misnamed(alice: Browser) -> list[Case]:
    names = (
        "rbac-access",
        "__Secure-rbac-access",
        "__host-rbac-access",
        "access",
        "access_token",
        "access_token_cookie",
        "session",
        " __Host-rbac-access\t",
        "Authorization",
    )
    return [
        (name, {"HTTP_COOKIE": f"{name}={alice.access}", "HTTP_X_CSRF_TOKEN": alice.csrf}) for name in names
    ]


def test_under_another_name_a_cookie_is_none(stage: Stage) -> None:
    aims = [aim for aim in targets(stage) if not aim.path.startswith("/oauth/")]
    nobody: Case = ("nobody", {})

    assert unlike(stage, aims, [nobody, *misnamed(browser(stage, ALICE))], TokenMissing) == []


def test_cookies_do_not_count_where_programs_ask(stage: Stage) -> None:
    alice = browser(stage, ALICE)
    aims = [aim for aim in targets(stage) if aim.path.startswith("/oauth/")]

    assert [shoot(stage, aim, alice.own_page) for aim in aims] == [shoot(stage, aim, {}) for aim in aims]
    assert {shoot(stage, aim, alice.own_page).status for aim in aims} <= {400, 401}


@pytest.mark.parametrize("left", ["good", "other", "nonsense", "twice", "nothing"])
def test_a_leftover_cookie_never_spoils_a_good_header_nor_mends_a_bad_one(stage: Stage, left: str) -> None:
    alice, bob = stage.as_(ALICE).tokens["access_token"], browser(stage, BOB)
    leftovers: Mapping[str, str] = {
        "good": f"{ACCESS}={alice}",
        "other": bob.cookies["HTTP_COOKIE"],
        "nonsense": f"{ACCESS}=nonsense; {REFRESH}=nonsense",
        "twice": f"{ACCESS}=a; {ACCESS}=b",
        "nothing": f"{ACCESS}=; {REFRESH}=",
    }
    cookies, aims = {"HTTP_COOKIE": leftovers[left]}, targets(stage)

    bad = [
        shoot(stage, aim, {**bearing("nonsense"), **cookies, "HTTP_X_CSRF_TOKEN": bob.csrf}) for aim in aims
    ]

    assert bad == [shoot(stage, aim, bearing("nonsense")) for aim in aims]
    assert honest(stage, {**bearing(alice), **cookies}, aims) == []


def test_what_is_set_is_kept_from_scripts_other_sites_and_plain_lines(stage: Stage) -> None:
    body = {"username": "alice", "password": PASSWORD}
    lines = stage.caller().client.post("/v1/auth/login?mode=cookie", json=body).headers.getlist("Set-Cookie")

    for line in lines:
        parts = [part.strip() for part in line.split(";")]
        assert parts[0].startswith("__Host-rbac-")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= set(parts)
        assert not any(part.lower().startswith("domain") for part in parts)
    assert len(lines) == 2
