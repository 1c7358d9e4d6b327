"""What anybody may know: the public keys, and what each problem code means."""

from __future__ import annotations

import json

from rbac_api.capabilities.operation.service import problems
from rbac_api.errors import ServiceError
from rbac_api.formats.http_errors import status_of
from tests.builders import Stage
from tests.cast import DAVE
from tests.database.conftest import another_worker


def test_the_public_keys_may_be_kept_for_a_while_and_hold_nothing_private(stage: Stage) -> None:
    answer = stage.caller().get("/.well-known/jwks.json")

    assert answer.headers["Cache-Control"] == "public, max-age=300"
    (key,) = answer.json["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
    assert (key["kty"], key["use"], key["alg"]) == ("OKP", "sig", "EdDSA")
    assert key["kid"] == stage.guard.keyring.active().kid


def test_a_shared_secret_is_nobodys_to_see(stage: Stage) -> None:
    with another_worker(stage, signing_algorithm="HS256") as worker:
        published = worker.caller().get("/.well-known/jwks.json").json["keys"]
        assert worker.guard.keyring.active().algorithm == "HS256"

    assert [key["kty"] for key in published] == ["OKP"], "the key before, whose tokens have not run out"
    assert all({"d", "k", "p", "q"}.isdisjoint(key) for key in published)


def test_every_code_that_an_operation_may_answer_is_explained(stage: Stage) -> None:
    document = json.dumps(stage.app.extensions["rbac-openapi"].document())
    somebody = stage.caller()

    for error in set(problems()):
        told = somebody.get(f"/problems/{error.code}")
        assert told.status_code == 200, error.code
        assert set(told.json) == {"code", "title", "status", "detail"}
        assert told.json["code"] == error.code
        assert all(told.json.values())
    for code in ("access.denied", "audit.unavailable", "database.unavailable", "etag.stale", "token.reused"):
        assert f"/problems/{code}" in document


def test_a_code_has_one_meaning_and_one_status() -> None:
    found: dict[str, type[ServiceError]] = {}
    for error in problems():
        before = found.setdefault(error.code, error)
        assert issubclass(error, before), (
            f"{error.__name__} and {before.__name__} share a code and nothing else"
        )
        assert status_of(error) == status_of(before)


def test_the_type_of_a_problem_leads_to_its_explanation(stage: Stage) -> None:
    refusal = stage.as_(DAVE).get("/v1/users").json

    told = stage.caller().get(refusal["type"]).json

    assert {name: told[name] for name in ("code", "status", "title")} == {
        name: refusal[name] for name in ("code", "status", "title")
    }


def test_a_code_that_is_none_is_not_found(stage: Stage) -> None:
    for code in ("no.such", "access.denied%0a", "ACCESS.DENIED", "x" * 500):
        answer = stage.caller().get(f"/problems/{code}")
        assert (answer.status_code, answer.json["code"]) == (404, "problem.not_found"), code
