"""Nothing is forgotten: every route has a guard, every permission guards something."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import yaml

from rbac_api.factory import BLUEPRINTS, create_app
from rbac_api.guard.requires import unguarded_views
from rbac_api.settings import SettingsRefused
from tests.builders import Stage
from tests.contract.operations import operations

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def test_every_route_says_who_may_pass(stage: Stage) -> None:
    assert unguarded_views(stage.app) == []


def test_a_route_without_a_guard_keeps_the_service_from_starting(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flask import Blueprint

    forgotten = Blueprint("forgotten", __name__)
    forgotten.add_url_rule("/v1/forgotten", view_func=lambda: "open")
    monkeypatch.setattr(
        "rbac_api.factory._register_routes", lambda app, _settings: app.register_blueprint(forgotten)
    )

    with pytest.raises(SettingsRefused, match="GET /v1/forgotten has no guard"):
        create_app(replace(stage.settings))


def test_every_permission_of_this_service_guards_something_and_is_described(stage: Stage) -> None:
    document = yaml.safe_load((ROOT / "seed_data/system.yaml").read_text(encoding="utf-8"))
    described = {entry["name"] for entry in document["permissions"] if entry["description"].strip()}

    guarding = {operation.permission for operation in operations(stage.app)} - {None}

    assert described == guarding | {"rbac:escalate"}, "rbac:escalate guards the escalation guard itself"


def test_reading_and_writing_never_share_a_permission(stage: Stage) -> None:
    reading = {operation.permission for operation in operations(stage.app) if not operation.writes}
    writing = {operation.permission for operation in operations(stage.app) if operation.writes}

    assert reading & writing <= {None}


def test_the_committed_document_is_the_services_own(stage: Stage) -> None:
    committed = orjson.loads((ROOT / "openapi/openapi.json").read_bytes())

    assert committed == orjson.loads(stage.caller().client.get("/openapi.json").data), (
        "run `make openapi` and review the difference"
    )


def test_every_blueprint_is_registered(stage: Stage) -> None:
    assert {blueprint.name for blueprint in BLUEPRINTS} <= set(stage.app.blueprints)
