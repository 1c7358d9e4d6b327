"""The decorators on somebody else's application (examples/guarded-flask): nothing else of ours is there."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask_smorest
import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask.views import MethodView

from rbac_api import admin_required, create_app, public, requires, requires_role
from rbac_api.capabilities.operation import routes as operation
from rbac_api.factory import close_app
from rbac_api.guard.enforcement.decorators import current_clearance, unguarded_views
from rbac_api.settings import SettingsRefused
from tests.builders import Caller, Stage
from tests.capabilities.second_factor.device import enrolled, strongly
from tests.cast import ALICE, BOB, CAROL, DAVE

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "guarded-flask" / "app.py"


@pytest.fixture
def their_app(stage: Stage) -> Iterator[Flask]:
    """The example, as it stands in the documentation, on the stage's database."""
    app: Flask = runpy.run_path(str(EXAMPLE))["create_app"](stage.settings)
    yield app
    app.extensions["rbac-api"].close()


@pytest.fixture
def theirs(their_app: Flask) -> FlaskClient:
    return their_app.test_client()


def ask(client: FlaskClient, caller: Caller, method: str, path: str) -> Any:
    return client.open(path, method=method, headers=caller.headers)


def test_nothing_of_ours_is_registered_but_the_answer_to_a_refusal(their_app: Flask) -> None:
    assert {rule.rule.split("/")[1] for rule in their_app.url_map.iter_rules()} == {"invoices"}
    assert (their_app.before_request_funcs, their_app.after_request_funcs) == ({}, {})
    assert unguarded_views(their_app) == []


def test_bob_may_what_his_permissions_say(stage: Stage, theirs: FlaskClient) -> None:
    bob = stage.as_(BOB)

    assert ask(theirs, bob, "GET", "/invoices?q=CRANE").json == {"invoices": ["A crane"]}
    approved = ask(theirs, bob, "POST", "/invoices/2/approval")
    assert (approved.status_code, approved.json) == (201, {"approved": "A crane", "by": "bob"})
    assert ask(theirs, bob, "GET", "/invoices/mine").json == {"of": stage.user_id(BOB)}


def test_dave_is_refused_with_what_he_lacks_and_the_trail_knows(stage: Stage, theirs: FlaskClient) -> None:
    answer = ask(theirs, stage.as_(DAVE), "GET", "/invoices")

    assert (answer.status_code, answer.mimetype) == (403, "application/problem+json")
    assert answer.json["required"] == "invoices:read"
    assert 'scope="invoices:read"' in answer.headers["WWW-Authenticate"]
    event = stage.events("access.refused")[-1]
    assert (event["actor_name"], event["target_id"]) == ("dave", "/invoices")


def test_nobody_is_asked_who_she_is_except_where_anybody_may(theirs: FlaskClient) -> None:
    refused = theirs.get("/invoices")

    assert (refused.status_code, refused.json["code"]) == (401, "token.missing")
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="rbac-api"'
    assert theirs.get("/invoices/help?lang=no").json == {"help": "Ask in accounting."}


def test_a_role_is_asked_for_also_if_it_is_inherited(stage: Stage, theirs: FlaskClient) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    refused = ask(theirs, dave, "DELETE", "/invoices/1")
    assert (refused.status_code, refused.json["required_role"]) == (403, "accountant")

    for name in ("accountant", "chief"):
        alice.post("/v1/roles", json={"name": name})
    alice.put("/v1/roles/chief/inherits/accountant")
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/chief")

    assert ask(theirs, dave, "DELETE", "/invoices/1").json == {"shredded": 1}


def test_a_role_that_requires_a_second_factor_is_held_with_one_alone(
    stage: Stage, theirs: FlaskClient
) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    alice.post("/v1/roles", json={"name": "accountant", "requires_mfa": True})
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/accountant")
    device = enrolled(dave)

    refused = ask(theirs, dave, "DELETE", "/invoices/1")

    assert "accountant is effective only after signing in with a second factor" in refused.json["detail"]
    strong = strongly(stage, DAVE, device.code(1))
    assert ask(theirs, strong, "DELETE", "/invoices/1").json == {"shredded": 1}


def test_administrators_alone_close_the_year(stage: Stage, theirs: FlaskClient) -> None:
    statuses = {
        person.username: ask(theirs, stage.as_(person), "POST", "/invoices/close-the-year").status_code
        for person in (ALICE, BOB, CAROL, DAVE)
    }

    assert statuses == {"alice": 200, "bob": 403, "carol": 403, "dave": 403}


def test_what_alice_changes_at_the_service_holds_at_theirs_on_the_next_request(
    stage: Stage, theirs: FlaskClient
) -> None:
    alice, bob = stage.as_(ALICE), stage.as_(BOB)
    assert ask(theirs, bob, "GET", "/invoices").status_code == 200

    alice.delete("/v1/roles/role-manager/permissions/invoices:read")
    assert ask(theirs, bob, "GET", "/invoices").status_code == 403
    alice.delete(f"/v1/sessions/{bob.tokens['session_id']}")

    assert ask(theirs, bob, "GET", "/invoices/mine").json["code"] == "token.revoked"


def test_their_own_errors_and_keys_stay_theirs(stage: Stage, theirs: FlaskClient) -> None:
    bob = stage.as_(BOB)
    headers = {**bob.headers, "Idempotency-Key": "of their own ü kind"}

    missing = theirs.post("/invoices/9/approval", headers=headers)

    assert (missing.status_code, missing.mimetype) == (404, "text/html")
    assert theirs.post("/invoices/1/approval", headers=headers).status_code == 201


def test_their_own_word_on_caching_is_not_replaced_by_ours(stage: Stage, their_app: Flask) -> None:
    def answering(**headers: str) -> Any:
        return requires("invoices:read")(lambda: ("paid", headers))

    their_app.add_url_rule("/kept", "kept", answering(**{"cache-control": "private, max-age=60"}))
    their_app.add_url_rule("/unsaid", "unsaid", answering())
    client, bob = their_app.test_client(), stage.as_(BOB)

    said = {
        path: ask(client, bob, "GET", path).headers.getlist("Cache-Control") for path in ("/kept", "/unsaid")
    }

    assert said == {"/kept": ["private, max-age=60"], "/unsaid": ["no-store"]}


def test_through_a_public_door_of_theirs_a_stranger_hands_out_nothing(stage: Stage, their_app: Flask) -> None:
    def hand_out() -> str:
        current_clearance().require_held(["invoices:read"])
        return "handed out"

    their_app.add_url_rule("/gifts", "gifts", public(hand_out), methods=["POST"])

    answers = [
        their_app.test_client().post("/gifts", headers=headers) for headers in ({}, stage.as_(ALICE).headers)
    ]

    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(401, "token.missing")] * 2


def test_an_address_with_nul_in_it_is_refused_and_recorded(stage: Stage, their_app: Flask) -> None:
    their_app.add_url_rule(
        "/files/<name>", view_func=requires("files:read")(lambda name: name), endpoint="files"
    )

    answer = ask(their_app.test_client(), stage.as_(DAVE), "GET", "/files/a%00b")

    assert answer.status_code == 403
    assert stage.events("access.refused")[-1]["target_id"] == "/files/ab"


def test_on_their_flask_smorest_the_document_says_who_may(stage: Stage, their_app: Flask) -> None:
    blueprint = flask_smorest.Blueprint("reports", __name__, url_prefix="/reports")

    @blueprint.route("")
    class Reports(MethodView):
        @requires("reports:read")
        @blueprint.response(200)
        def get(self) -> dict[str, str]:
            return {}

        @public
        @blueprint.response(200)
        def head(self) -> dict[str, str]:
            return {}

    their_app.config.update(API_TITLE="Theirs", API_VERSION="1", OPENAPI_VERSION="3.1.1")
    api = flask_smorest.Api(their_app)
    api.register_blueprint(blueprint)

    documented = api.spec.to_dict()["paths"]["/reports"]
    assert documented["get"]["security"] == [{"bearerAuth": []}]
    assert documented["get"]["x-permission"] == "reports:read"
    assert documented["head"]["security"] == []
    assert their_app.test_client().get("/reports").status_code == 401


def test_the_service_refuses_to_start_with_a_view_that_nobody_guards(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = operation.Health.get.__wrapped__
    monkeypatch.setattr(operation.Health, "get", bare)

    with pytest.raises(SettingsRefused) as refusal:
        close_app(create_app(stage.settings))

    assert refusal.value.faults == [
        "GET /healthz has no guard: put @requires, @requires_role, @admin_required or @public on it"
    ]


@pytest.mark.parametrize("guard", [requires("x:y"), requires(), requires_role("x"), admin_required, public])
def test_a_guard_does_not_change_what_a_view_is_called(guard: Any) -> None:
    def view() -> None:
        """Says so."""

    guarded = guard(view)

    assert (guarded.__name__, guarded.__doc__) == ("view", "Says so.")
    assert not hasattr(view, "access")


@pytest.mark.parametrize(("options", "writes"), [({"reads": True}, False), ({}, True)])
def test_a_post_that_only_asks_cannot_write(
    stage: Stage, their_app: Flask, options: dict[str, bool], writes: bool
) -> None:
    def look() -> dict[str, bool]:
        return {"writes": current_clearance().work.writes}

    their_app.add_url_rule("/look", view_func=requires("invoices:read", **options)(look), methods=["POST"])
    client = their_app.test_client()

    assert ask(client, stage.as_(BOB), "POST", "/look").json == {"writes": writes}
    assert ask(client, stage.as_(DAVE), "POST", "/look").status_code == 403
