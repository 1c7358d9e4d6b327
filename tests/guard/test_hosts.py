"""What ``protect`` does to the application it is called on: one entry among the extensions, whatever the host is like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from rbac_api import protect
from tests.builders import Stage, settings_for
from tests.cast import ALICE, DAVE
from tests.guard.hosts import HOSTS, HostApp, add_routes, picture

Build = Callable[[str, str], Flask]
ORDERS = ("protect-first", "protect-last")


@pytest.fixture
def build(stage: Stage) -> Iterator[Build]:
    """``build("bare", "protect-first")``: a host as its maker would write it, guarded before or after all else."""
    with ExitStack() as opened:

        def guarded(app: Flask) -> None:
            opened.callback(protect(app, stage.settings).close)

        def make(host: str, order: str) -> Flask:
            app = HostApp(host)
            steps: list[Callable[[Flask], Any]] = [*HOSTS[host], add_routes]
            for step in [guarded, *steps] if order == "protect-first" else [*steps, guarded]:
                step(app)
            return app

        yield make


def ask(app: Flask, path: str, token: str | None = None, method: str = "GET", **headers: str) -> Any:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return app.test_client().open(path, method=method, headers=headers)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("when", ["empty", "complete"])
def test_protect_leaves_everything_in_the_host_as_it_was(stage: Stage, host: str, when: str) -> None:
    app = HostApp(host)
    for step in [*HOSTS[host], add_routes] if when == "complete" else []:
        step(app)
    before = picture(app)

    guard = protect(app, stage.settings)
    after = picture(app)
    guard.close()

    assert after["extensions"].pop("rbac-api")[1] == id(guard)
    assert after == before


@pytest.mark.parametrize("host", HOSTS)
def test_guarded_requests_leave_it_so_too(stage: Stage, build: Build, host: str) -> None:
    app, token = build(host, "protect-last"), stage.as_(ALICE).tokens["access_token"]
    ask(app, "/own")
    before = picture(app)

    for path in ("/plain/any", "/guarded/admin", "/plain/open", "/plain/may"):
        for presented in (None, "rubbish", token):
            ask(app, path, presented)

    after = picture(app)
    for shown in (before, after):
        shown["extensions"].pop("faults-seen", None)
    assert after == before


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("host", HOSTS)
def test_the_guard_answers_by_itself_whatever_the_host_does_with_errors(
    stage: Stage, build: Build, host: str, order: str
) -> None:
    app, dave = build(host, order), stage.as_(DAVE).tokens["access_token"]
    expected = [
        ("/any", None, 401, "token.missing"),
        ("/any", "rubbish", 401, "token.invalid"),
        ("/any", stage.as_(DAVE).tokens["refresh_token"], 401, "token.invalid"),
        ("/may", dave, 403, "access.denied"),
        ("/role", dave, 403, "access.denied"),
        ("/admin", dave, 403, "access.denied"),
        ("/clash", dave, 409, "state.conflict"),
        ("/open-clash", None, 409, "state.conflict"),
    ]

    for prefix in ("/plain", "/guarded"):
        for path, token, status, code in expected:
            answer = ask(app, prefix + path, token)
            assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), path
            assert answer.json["code"] == code
            assert len(answer.json["request_id"]) == 32
            assert answer.json["type"] == f"{stage.settings.issuer_url}/problems/{code}"
            assert ("WWW-Authenticate" in answer.headers) is (status < 404)
            assert answer.headers.getlist("X-Seen-By-Host") == ["nobody"] * (
                host in ("logged-in", "all-of-it")
            )


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("host", HOSTS)
def test_who_may_gets_the_hosts_own_answer_and_its_own_faults_stay_its_own(
    stage: Stage, build: Build, host: str, order: str
) -> None:
    app, alice = build(host, order), stage.as_(ALICE).tokens["access_token"]
    careful = host in ("careful", "all-of-it")

    for prefix in ("/plain", "/guarded"):
        assert [ask(app, prefix + path, alice).text for path in ("/any", "/admin", "/soon")] == [
            "in",
            "in",
            "in, soon",
        ]
        assert [ask(app, prefix + path).text for path in ("/open", "/open-soon")] == ["in", "in, soon"]
    app.config["PROPAGATE_EXCEPTIONS"] = False
    assert ask(app, "/guarded/broken", alice).text == "blueprint: ZeroDivisionError"
    for path, token in (("/broken", None), ("/plain/broken", alice)):
        assert (ask(app, path, token).text == "host: ZeroDivisionError") is careful
    assert ask(app, "/nowhere").mimetype == "text/html"


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("host", ["with-tokens", "all-of-it"])
def test_each_of_two_kinds_of_tokens_opens_its_own_routes_and_no_other(
    stage: Stage, build: Build, host: str, order: str
) -> None:
    app, ours = build(host, order), stage.as_(ALICE).tokens
    theirs = ask(app, "/host-login").text

    assert (ask(app, "/host-only", theirs).status_code, ask(app, "/host-only", theirs).text) == (
        200,
        "hostess",
    )
    assert ask(app, "/plain/admin", ours["access_token"]).status_code == 200
    assert ask(app, "/plain/any", theirs).json["code"] == "token.invalid"
    for kind in ("access", "refresh"):
        assert ask(app, "/host-only", ours[f"{kind}_token"]).status_code in (401, 422, 500)
    assert ask(app, "/host-only").status_code in (401, 500)


@pytest.mark.parametrize("order", ORDERS)
def test_the_trail_knows_a_request_to_a_host_by_the_id_in_its_answer(
    stage: Stage, build: Build, order: str
) -> None:
    app, dave = build("careful", order), stage.as_(DAVE).tokens["access_token"]

    made, offered = (
        ask(app, "/guarded/may", dave),
        ask(app, "/plain/may", dave, **{"X-Request-ID": "of-the-proxy"}),
    )

    named = [event["request_id"] for event in stage.events("access.refused")]
    assert named[-1:] == [made.json["request_id"]], "the second is the first again, and counted"
    assert offered.json["request_id"] == "of-the-proxy"


def test_paths_that_mean_something_in_the_service_mean_nothing_in_a_host(stage: Stage) -> None:
    from rbac_api import requires

    app = Flask("paths")
    guard = protect(app, stage.settings)
    paths = ("/oauth/things", "/v1/oauth/token", "/access/v1/evaluation", "/v1/me")
    for path in paths:
        app.add_url_rule(path, path, requires()(lambda: "in"))

    codes = {path: ask(app, path).json.get("code") for path in paths}
    guard.close()

    assert codes == dict.fromkeys(paths, "token.missing")


def test_a_host_and_the_service_side_by_side_in_one_process(stage: Stage, build: Build) -> None:
    host = build("all-of-it", "protect-last")
    both = Client(DispatcherMiddleware(host, {"/rbac": stage.app}))
    ours = stage.as_(ALICE).tokens["access_token"]
    theirs = both.get("/host-login").text

    def status(path: str, token: str) -> int:
        return both.get(path, headers={"Authorization": f"Bearer {token}"}).status_code

    assert [status(path, ours) for path in ("/rbac/v1/me", "/plain/admin")] == [200, 200]
    assert [status(path, theirs) for path in ("/rbac/v1/me", "/plain/admin", "/host-only")] == [401, 401, 200]
    assert status("/host-only", ours) != 200


def test_a_second_guard_on_one_application_is_refused(stage: Stage, build: Build) -> None:
    for app in (build("bare", "protect-first"), stage.app):
        with pytest.raises(RuntimeError, match=r"call protect\(\) once"):
            protect(app, stage.settings)


def test_a_decorator_without_protect_says_what_is_missing() -> None:
    app = HostApp("unprotected")
    add_routes(app)
    app.testing = True

    for path in ("/plain/any", "/plain/open"):
        with pytest.raises(RuntimeError, match=r"call protect\(app, settings\) first"):
            ask(app, path)


def test_a_database_that_is_gone_is_answered_and_logged_though_the_host_is_careful(
    capfd: pytest.CaptureFixture[str],
) -> None:
    app = HostApp("cut-off")
    guard = protect(app, settings_for("postgresql://rbac@127.0.0.1:1/nowhere"))
    for step in (*HOSTS["careful"], add_routes):
        step(app)

    answer = ask(app, "/guarded/any", "some.thing.presented")
    guard.close()

    assert (answer.status_code, answer.json["code"]) == (503, "database.unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "refused" in "".join(capfd.readouterr())
