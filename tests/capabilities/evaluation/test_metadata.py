"""Where decisions are made: AuthZEN Authorization API 1.0, section 9."""

from __future__ import annotations

import pytest

from tests.builders import Stage
from tests.capabilities.conftest import OpenNode

WHERE = "/.well-known/authzen-configuration"


@pytest.mark.parametrize("issuer", ["https://rbac.example.com", "https://rbac.example.com/"])
def test_every_address_begins_with_the_decision_point(node: OpenNode, issuer: str) -> None:
    answer = node(issuer=issuer).caller().get(WHERE)

    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json == {
        "policy_decision_point": "https://rbac.example.com",
        "access_evaluation_endpoint": "https://rbac.example.com/access/v1/evaluation",
        "access_evaluations_endpoint": "https://rbac.example.com/access/v1/evaluations",
        "search_subject_endpoint": "https://rbac.example.com/access/v1/search/subject",
        "search_resource_endpoint": "https://rbac.example.com/access/v1/search/resource",
        "search_action_endpoint": "https://rbac.example.com/access/v1/search/action",
    }


def test_the_addresses_are_routes_of_this_service_and_nothing_else_is_offered(stage: Stage) -> None:
    told = stage.caller().get(WHERE).json
    routes = {rule.rule for rule in stage.app.url_map.iter_rules() if rule.rule.startswith("/access/")}

    base = told.pop("policy_decision_point")
    assert {address.removeprefix(base) for address in told.values()} == routes


def test_it_may_be_kept_for_a_while(stage: Stage) -> None:
    assert stage.caller().get(WHERE).headers["Cache-Control"] == "public, max-age=300"
    assert stage.caller().get(f"{WHERE}?x=1").status_code == 422
