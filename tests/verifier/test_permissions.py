"""A service that has our tokens and decides by permission: whom it admits, how soon it learns of a change, and what if it cannot."""

from __future__ import annotations

import runpy
from pathlib import Path
from random import Random

import pytest
import time_machine
from fastapi import Depends, FastAPI
from flask import Flask

from rbac_api import clock
from rbac_verifier import Identity, Verifier, revoked, roles
from rbac_verifier.asgi import AsgiVerifier
from rbac_verifier.flask import current_identity
from tests import coroutines
from tests.builders import Caller
from tests.cast import ALICE, BOB, CAROL, DAVE
from tests.patience import eventually
from tests.verifier.conftest import BOUND, Field
from tests.verifier.deciding import APPROVE, READ, becomes, code, put
from tests.verifier.test_asgi import Client

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_a_flask_view_admits_by_permission(field: Field, alice: Caller) -> None:
    verifier, app = field.verifier(), Flask(__name__)

    @app.get("/invoices")
    @verifier.requires(READ)
    def invoices() -> dict[str, str]:
        return {"for": current_identity().user_id}

    client, dave, carol = app.test_client(), field.stage.as_(DAVE), field.stage.as_(CAROL)
    assert client.get("/invoices", headers=dave.headers).json == {"for": field.stage.user_id(DAVE)}
    refused = client.get("/invoices", headers=carol.headers)
    assert (refused.status_code, refused.json["code"], refused.json["required"]) == (
        403,
        "access.denied",
        READ,
    )
    assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]
    assert client.get("/invoices").status_code == 401
    assert invoices.access == READ


def test_a_dependency_admits_by_permission(field: Field, alice: Caller) -> None:
    verifier, app = field.make(AsgiVerifier), FastAPI()
    verifier.register(app)
    requires_read = Depends(verifier.requires(READ))

    @app.get("/invoices")
    async def invoices(caller: Identity = requires_read) -> dict[str, str]:
        return {"for": caller.user_id}

    client, dave, carol = Client(app), field.stage.as_(DAVE), field.stage.as_(CAROL)
    assert client.get("/invoices", headers=dave.headers).json() == {"for": field.stage.user_id(DAVE)}
    refused = client.get("/invoices", headers=carol.headers)
    assert (refused.status_code, refused.json()["code"], refused.json()["required"]) == (
        403,
        "access.denied",
        READ,
    )


@pytest.mark.parametrize("framework", ["flask", "fastapi"])
def test_the_examples_decide_by_permission_as_well(field: Field, alice: Caller, framework: str) -> None:
    make = runpy.run_path(str(EXAMPLES / framework / "app.py"))["create_app"]
    app = make(field.verifier() if framework == "flask" else field.make(AsgiVerifier))
    alice.post("/v1/permissions", json={"name": "orders:cancel", "description": "x"})
    alice.put("/v1/roles/clerk/permissions/orders:cancel")

    answers = [
        app.test_client().delete("/orders/7", headers=caller.headers)
        if framework == "flask"
        else coroutines.run(Client(app)._request("DELETE", "/orders/7", caller.headers))
        for caller in (field.stage.as_(DAVE), field.stage.as_(CAROL))
    ]

    assert [answer.status_code for answer in answers] == [200, 403]


@pytest.mark.parametrize("name", ["", "invoices", "a:b:c:d:e", "a:" + "b" * 199, "a b:c", "a:b\n", ":", "a:"])
def test_what_is_no_permission_is_said_so_where_it_is_written(name: str) -> None:
    from rbac_api.decision.naming import PERMISSION

    verifier = Verifier("https://rbac.example", "rbac-api")
    with pytest.raises(ValueError, match="is not a permission name") as fault:
        verifier.decide_by(name)
    if len(name) < 100:
        assert str(fault.value) == PERMISSION.problem(name)
    assert PERMISSION.problem("invoices:approve") is None
    assert verifier.decide_by("invoices:approve") == "invoices:approve"


def test_a_permission_that_a_role_gains_or_loses_counts_here_soon_with_the_same_token(
    field: Field, alice: Caller
) -> None:
    verifier, (text, _) = field.verifier(), field.token(DAVE)
    assert (code(verifier, text), code(verifier, text, APPROVE)) == ("ok", "access.denied")
    alice.put(f"/v1/roles/clerk/permissions/{APPROVE}")
    assert becomes(verifier, text, "ok", APPROVE)
    alice.delete(f"/v1/roles/clerk/permissions/{READ}")
    assert becomes(verifier, text, "access.denied")
    alice.post("/v1/permissions", json={"name": "tea:drink", "description": "x"})
    assert code(verifier, text, "tea:drink") == "access.denied"


def test_the_document_is_read_once_as_long_as_nothing_changes(field: Field, alice: Caller) -> None:
    verifier, (text, _) = field.verifier(), field.token(DAVE)
    assert code(verifier, text) == "ok"
    asked = field.line.asked.count(revoked.PATH)
    assert eventually(lambda: field.line.asked.count(revoked.PATH) > asked + 3)
    assert field.line.asked.count(roles.PATH) == 1


def test_who_decides_by_role_reads_no_document(field: Field, alice: Caller) -> None:
    verifier, (text, caller) = field.verifier(), field.token(DAVE)
    assert verifier.identify(caller.headers, role="clerk").user_id == field.stage.user_id(DAVE)
    asked = field.line.asked.count(revoked.PATH)
    assert eventually(lambda: field.line.asked.count(revoked.PATH) > asked + 1)
    assert roles.PATH not in field.line.asked
    assert text


def cut_roles(field: Field) -> None:
    put(field, lambda _body: b"")


def test_cut_off_it_knows_for_a_while_and_then_refuses_until_it_sees_again(
    field: Field, alice: Caller
) -> None:
    verifier, trusting = field.verifier(), field.verifier(trusts_when_blind=True)
    text, _ = field.token(DAVE)
    assert (code(verifier, text), code(trusting, text)) == ("ok", "ok")
    field.line.cut = True
    assert code(verifier, text) == "ok"
    with time_machine.travel(clock.epoch_seconds() + BOUND + 1, tick=True):
        assert becomes(verifier, text, "service.unavailable")
        assert (code(trusting, text), code(trusting, text, APPROVE)) == ("ok", "access.denied")
        field.line.cut = False
        assert becomes(verifier, text, "ok")


def test_a_change_that_it_cannot_read_blinds_it_when_the_bound_is_over(field: Field, alice: Caller) -> None:
    verifier, (text, _) = field.verifier(), field.token(DAVE)
    assert code(verifier, text) == "ok"
    cut_roles(field)
    now = clock.epoch_seconds()
    with time_machine.travel(now + BOUND + 1, tick=True):
        assert becomes(verifier, text, "ok")  # the feed says that what it knows is still current
        alice.delete(f"/v1/roles/clerk/permissions/{READ}")
        assert code(verifier, text) == "ok"
    with time_machine.travel(now + 2 * BOUND + 2, tick=True):
        assert eventually(lambda: verifier._feed.age < BOUND)
        assert verifier.identify_token(text).user_id == field.stage.user_id(DAVE)
        assert code(verifier, text) == "service.unavailable"


def test_who_has_never_seen_the_document_decides_nothing(field: Field, alice: Caller) -> None:
    cut_roles(field)
    text, _ = field.token(DAVE)
    for verifier in (field.verifier(), field.verifier(trusts_when_blind=True)):
        assert code(verifier, text) == "service.unavailable"


@pytest.mark.parametrize("seed", range(3))
def test_the_verifier_permits_exactly_what_the_service_permits(field: Field, seed: int) -> None:
    random, stage = Random(seed), field.stage
    permissions = [f"thing:p{number}" for number in range(12)]
    names = [f"role-{number}" for number in range(8)]
    alice = stage.as_(ALICE)
    for permission in permissions:
        alice.post("/v1/permissions", json={"name": permission, "description": "x"})
    for name in names:
        made = alice.post("/v1/roles", json={"name": name, "permissions": random.sample(permissions, 2)})
        assert made.status_code == 201, made.json
    for name in random.sample(names, 2):
        alice.patch_now(f"/v1/roles/{name}", {"requires_mfa": True})
    for _ in range(10):
        senior, junior = random.sample(names, 2)
        alice.put(f"/v1/roles/{senior}/inherits/{junior}")
    people = (BOB, CAROL, DAVE)
    for person in people:
        for name in random.sample(names, 3):
            alice.put(f"/v1/users/{stage.user_id(person)}/roles/{name}")
    rule = {"name": "apart", "kind": "dynamic", "roles": random.sample(names, 3), "limit": 2}
    alice.post("/v1/constraints", json=rule)
    verifier = field.verifier()
    for person in people:
        text, caller = field.token(person)
        online = {*caller.get("/v1/me").json["permissions"]} & {*permissions}
        offline = {each for each in permissions if code(verifier, text, each) == "ok"}
        assert offline == online, person
