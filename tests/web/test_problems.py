"""Problem documents: one form for every refusal, from whichever layer, without a word too many (RFC 9457)."""

from __future__ import annotations

import pytest
from flask import abort
from werkzeug.exceptions import HTTPException, ImATeapot, RequestEntityTooLarge
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response

from rbac_api.errors import (
    Fault,
    Forbidden,
    Invalid,
    ServiceError,
    TooManyAttempts,
    Unauthenticated,
    Unavailable,
)
from rbac_api.factory import close_app, create_app
from rbac_api.formats.http_errors import status_of
from rbac_api.web.responses.problems import MEDIA_TYPE, http_problem, problem_answer
from tests.builders import Stage
from tests.cast import CAROL, DAVE

MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}
LEAKS = ("Traceback", "werkzeug", "flask", "sqlalchemy", "File ", "proxy", "The browser", "secret words")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/no/such/place", 404, "resource.not_found"),
        ("GET", "/v1/decisions/not-an-id", 404, "resource.not_found"),
        ("GET", "/v1/users/not-an-id", 404, "user.not_found"),
        ("GET", "/v1/users/0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57", 404, "user.not_found"),
        ("PUT", "/v1/users", 405, "request.method_not_allowed"),
        ("POST", "/v1/users", 415, "request.not_json"),
        ("GET", "/v1/users?limit=0", 422, "request.invalid"),
    ],
)
def test_every_layer_refuses_in_the_same_form(
    stage: Stage, method: str, path: str, status: int, code: str
) -> None:
    answer = stage.as_("alice").call(method, path, headers={"X-Request-ID": "mine"})

    assert (answer.status_code, answer.json["code"], answer.mimetype) == (status, code, MEDIA_TYPE)
    assert set(answer.json) - {"errors"} == MEMBERS
    assert (answer.json["status"], answer.json["request_id"]) == (status, "mine")
    assert answer.json["type"] == f"/problems/{code}"
    assert not [word for word in LEAKS if word in answer.text]


def test_a_method_that_is_not_known_is_answered_with_those_that_are(stage: Stage) -> None:
    answer = stage.as_(CAROL).call("PUT", "/v1/users")

    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


@pytest.fixture
def broken(stage: Stage) -> object:
    """An application with a few routes that go wrong."""
    app = create_app(stage.settings)

    def view(kind: str) -> str:
        if kind == "raise":
            raise RuntimeError("secret words")
        if kind == "teapot":
            raise ImATeapot("secret words")
        abort(int(kind), "secret words")

    app.add_url_rule("/broken/<kind>", view_func=view)
    yield app.test_client()
    close_app(app)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("raise", 500, "service.failed"), ("500", 500, "service.failed"), ("502", 500, "service.failed"),
        ("503", 503, "service.unavailable"),
        ("teapot", 400, "request.unreadable"), ("400", 400, "request.unreadable"), ("404", 404, "resource.not_found"),
        ("412", 412, "etag.stale"), ("413", 413, "request.too_large"), ("414", 414, "request.uri_too_long"),
        ("415", 415, "request.not_json"),
        ("422", 422, "request.invalid"), ("428", 428, "etag.required"), ("429", 429, "rate.exceeded"),
        ("409", 400, "request.unreadable"),
    ],
)  # fmt: skip
def test_whatever_goes_wrong_its_words_stay_inside(broken: object, kind: str, status: int, code: str) -> None:
    answer = broken.get(f"/broken/{kind}")  # type: ignore[attr-defined]

    assert (answer.status_code, answer.json["code"], answer.mimetype) == (status, code, MEDIA_TYPE)
    assert not [word for word in LEAKS if word in answer.text]
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_redirect_and_a_ready_answer_pass_through(stage: Stage) -> None:
    with stage.app.test_request_context("/"):
        assert http_problem(RequestRedirect("/elsewhere")).status_code == 308
        ready = HTTPException(response=Response("mine", 299))
        assert http_problem(ready).status_code == 299
        assert http_problem(RequestEntityTooLarge()).status_code == 413


def test_a_challenge_says_what_would_help(stage: Stage) -> None:
    with stage.app.test_request_context("/"):
        nobody = problem_answer(Unauthenticated()).headers["WWW-Authenticate"]
        known = problem_answer(Forbidden(required="roles:create")).headers["WWW-Authenticate"]

    assert nobody == 'Bearer realm="rbac-api"'
    assert known == (
        'Bearer realm="rbac-api", error="insufficient_scope", error_description="Not allowed", scope="roles:create"'
    )


def test_who_must_wait_is_told_how_long(stage: Stage) -> None:
    with stage.app.test_request_context("/"):
        assert problem_answer(TooManyAttempts(retry_after=7)).headers["Retry-After"] == "7"
        assert problem_answer(Unavailable()).headers["Retry-After"] == "1"


def test_faults_are_listed_and_what_is_internal_is_not(stage: Stage) -> None:
    fault = Fault("/username", "field.required", "This field is required.")
    with stage.app.test_request_context("/"):
        told = problem_answer(Invalid(faults=(fault,), internal="secret words"))

    assert told.json is not None
    assert told.json["errors"] == [
        {"pointer": "/username", "code": "field.required", "detail": "This field is required."}
    ]
    assert b"secret words" not in told.data


def test_a_refusal_that_is_no_kind_of_its_own_is_a_failure() -> None:
    assert status_of(ServiceError) == 500


def test_daves_refusal_names_what_he_lacks(stage: Stage) -> None:
    answer = stage.as_(DAVE).post("/v1/roles", json={"name": "x-y"})

    assert answer.json["required"] == "roles:create"
    assert 'scope="roles:create"' in answer.headers["WWW-Authenticate"]
