"""Roles have a home: who may read roles at a domain reads those at home there, below and above, and no others."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from rbac_api import clock
from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.assignments.terms import Terms
from rbac_api.capabilities.domains.service import create_domain
from rbac_api.capabilities.roles import queries, service
from rbac_api.capabilities.roles.service import create_role, grant_permission
from rbac_api.cli.prepare import operator_unit
from rbac_api.database.tables import roles
from tests.builders import Caller, Stage
from tests.cast import ALICE, DAVE

HOMES = ("acme", "acme.eu", "acme.eu.shop", "acme-eu", "globex")
FOREIGN = ("clerk@acme-eu", "clerk@globex")


@pytest.fixture
def tenants(stage: Stage) -> Stage:
    """A role at home at each domain; Dave may read roles at ``acme.eu``."""
    stage.kept("homes of roles", lambda: settle(stage))
    return stage


def settle(stage: Stage) -> None:
    with operator_unit(stage.settings, stage.database) as clearance:
        for domain in sorted(HOMES):
            create_domain(clearance, {"name": domain})
            create_role(clearance, {"name": f"clerk@{domain}", "permissions": ["invoices:read"]})
        create_role(clearance, {"name": "role-reader"})
        grant_permission(clearance, "role-reader", "roles:read")
        assign_role(clearance, stage.user_id(DAVE), "role-reader", Terms(domain="acme.eu"))


def names(answer: Any) -> set[str]:
    return {one["name"] for one in answer.json["items"]}


def plain(answer: Any, role: str) -> tuple[int, dict[str, Any]]:
    """The answer without what differs from request to request, and without the name that was asked for."""
    kept = {name: value for name, value in answer.json.items() if name not in ("instance", "request_id")}
    return answer.status_code, {name: str(value).replace(role, "ROLE") for name, value in kept.items()}


def test_a_list_has_the_roles_of_homes_below_and_above(tenants: Stage) -> None:
    dave = tenants.as_(DAVE)
    every = names(tenants.as_(ALICE).get("/v1/roles?limit=200"))
    mine = every - set(FOREIGN)
    answer = dave.get("/v1/roles?limit=200&count=true")
    assert names(answer) == mine
    assert {"clerk@acme", "clerk@acme.eu", "clerk@acme.eu.shop", "admin"} < mine
    assert answer.json["total"] == len(mine)
    assert {one["name"] for one in dave.every("/v1/roles", limit=1)} == mine
    holding = names(dave.get("/v1/roles?permission=invoices:read&limit=200"))
    assert holding.isdisjoint(FOREIGN)
    assert "clerk@acme.eu.shop" in holding
    for nothing in ("q=globex", "q=acme-eu"):
        assert dave.get(f"/v1/roles?{nothing}&count=true").json == {"items": [], "next": None, "total": 0}


def test_a_role_of_another_home_is_as_unknown(tenants: Stage) -> None:
    dave = tenants.as_(DAVE)
    for past in ("", f"?at={quote(clock.now().isoformat())}"):
        unknown = plain(dave.get(f"/v1/roles/no-role{past}"), "no-role")
        assert unknown[0] == 404
        for role in FOREIGN:
            assert plain(dave.get(f"/v1/roles/{role}{past}"), role) == unknown
    for role in ("clerk@acme", "clerk@acme.eu", "clerk@acme.eu.shop", "admin"):
        assert dave.get(f"/v1/roles/{role}").status_code == 200
        assert dave.get(f"/v1/roles/{role}?at={quote(clock.now().isoformat())}").status_code == 200
    assert tenants.as_(ALICE).get("/v1/roles/clerk@globex").status_code == 200


def test_without_the_question_the_attack_would_succeed(
    tenants: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    dave: Caller = tenants.as_(DAVE)
    monkeypatch.setattr(service, "is_readable", lambda clearance, _home: bool(clearance.domains_granting()))
    monkeypatch.setattr(queries, "readable", lambda _connection, _domains: roles.c.id.is_not(None))
    assert dave.get("/v1/roles/clerk@globex").status_code == 200
    assert set(FOREIGN) < names(dave.get("/v1/roles?limit=200"))
