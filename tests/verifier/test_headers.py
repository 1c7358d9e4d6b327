"""The core of the verifier: callers are identified by headers in whatever form a framework has them."""

from __future__ import annotations

from collections.abc import Callable
from email.message import Message
from typing import Any

import pytest
from flask import Flask
from requests.structures import CaseInsensitiveDict
from werkzeug.datastructures import Headers

from rbac_verifier import Refused, Verifier
from rbac_verifier.flask import FlaskVerifier, current_identity
from tests import coroutines
from tests.cast import CAROL
from tests.verifier.conftest import Field

Make = Callable[[list[tuple[str, str]]], Any]


def message(pairs: list[tuple[str, str]]) -> Message:
    """As http.server has them."""
    found = Message()
    for name, value in pairs:
        found[name] = value
    return found


FORMS: list[Make] = [list, iter, dict, CaseInsensitiveDict, Headers, message]
SEVERAL: list[Make] = [list, iter, Headers, message]


@pytest.fixture
def verifier(field: Field) -> Verifier:
    return field.make(Verifier)


@pytest.fixture
def good(field: Field) -> str:
    return str(field.stage.as_(CAROL).headers["Authorization"])


@pytest.mark.parametrize("make", FORMS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
def test_a_caller_is_identified_whatever_form_headers_have(
    field: Field, verifier: Verifier, good: str, make: Make, name: str
) -> None:
    identity = verifier.identify(make([("Host", "orders.example"), (name, good)]))

    assert identity.user_id == field.stage.user_id(CAROL)
    assert identity == verifier.identify_token(good.removeprefix("Bearer "))


@pytest.mark.parametrize("make", SEVERAL, ids=lambda make: make.__name__)
def test_the_same_header_twice_is_refused(verifier: Verifier, good: str, make: Make) -> None:
    with pytest.raises(Refused) as refused:
        verifier.identify(make([("Authorization", good), ("authorization", good)]))

    assert refused.value.code == "credentials.repeated"


@pytest.mark.parametrize("headers", [{}, [], [("Cookie", "a=b")], {"X-Authorization": "Bearer x"}], ids=str)
def test_without_the_header_there_is_no_caller(verifier: Verifier, headers: Any) -> None:
    with pytest.raises(Refused) as refused:
        verifier.identify(headers)

    assert (refused.value.status, refused.value.code) == (401, "token.missing")


def test_a_role_is_required_and_the_answer_is_for_any_framework(verifier: Verifier, good: str) -> None:
    assert "auditor" in verifier.identify({"Authorization": good}, role="auditor").roles
    with pytest.raises(Refused) as refused:
        verifier.identify({"Authorization": good}, role="clerk")

    answer = verifier.answer_to(refused.value)

    assert (answer.status, answer.headers["Content-Type"]) == (403, "application/problem+json")
    assert b'"required_role": "clerk"' in answer.body


def test_a_token_given_for_headers_is_a_mistake_and_said_so(verifier: Verifier, good: str) -> None:
    with pytest.raises(TypeError, match="identify_token"):
        verifier.identify(good)  # type: ignore[arg-type]


def test_a_view_of_flask_may_be_a_coroutine(field: Field, good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def view() -> str:
        return current_identity().user_id

    app, verifier = Flask("other"), field.make(FlaskVerifier)
    monkeypatch.setattr(app, "async_to_sync", lambda view: lambda: coroutines.run(view()))
    app.add_url_rule("/", view_func=verifier.signed_in(view))

    answer = app.test_client().get("/", headers={"Authorization": good})

    assert answer.text == field.stage.user_id(CAROL)
