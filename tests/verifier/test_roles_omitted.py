"""Tokens whose roles did not all fit: they say so, and a verifier that needs a missing one asks the service or says that it cannot know."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest

from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.roles.service import create_role
from rbac_api.cli.prepare import operator_unit
from rbac_verifier import Refused
from tests.capabilities.activations.scenes import begin_with
from tests.cast import ALICE, CAROL, DAVE
from tests.guard.forgery import Model
from tests.verifier.conftest import Field
from tests.verifier.deciding import APPROVE, READ, code


@pytest.fixture
def crowded(field: Field) -> str:
    """Dave has many roles with long names; the last one permits approving."""
    alice = field.stage.as_(ALICE)
    for name in (READ, APPROVE, "invoices:delete"):
        alice.post("/v1/permissions", json={"name": name, "description": "x"})
    with operator_unit(field.stage.settings, field.stage.database) as clearance:
        for number in range(40):
            name = f"role-{number:02}-".ljust(100, "x")
            create_role(clearance, {"name": name, "description": "One of many."})
            assign_role(clearance, field.stage.user_id(DAVE), name)
    alice.put(f"/v1/roles/{'role-00-'.ljust(100, 'x')}/permissions/{READ}")
    alice.put(f"/v1/roles/{'role-39-'.ljust(100, 'x')}/permissions/{APPROVE}")
    return field.token(DAVE)[0]


def test_a_token_says_how_many_roles_did_not_fit(field: Field, crowded: str) -> None:
    said = jwt.decode(crowded, options={"verify_signature": False})
    assert (len(said["roles"]) + said["roles_omitted"], said["roles_omitted"]) == (40, 21)
    plain = jwt.decode(field.token(CAROL)[0], options={"verify_signature": False})
    assert "roles_omitted" not in plain
    caller = field.stage.caller()
    caller.tokens = {"access_token": crowded}
    assert caller.get("/v1/me").status_code == 200


@pytest.mark.parametrize("omitted", [0, -1, True, "3", 1.5, None, 1 << 40, [1]])
def test_a_count_of_another_form_is_no_token_of_ours(field: Field, crowded: str, omitted: Any) -> None:
    text = Model(crowded, field.stage.guard.keyring.active()).with_claims(roles_omitted=omitted)
    caller = field.stage.caller()
    caller.tokens = {"access_token": text}
    assert caller.get("/v1/me").json["code"] == "token.invalid"
    assert code(field.verifier(), text) == ("ok" if omitted == 0 else "token.invalid")


def test_a_refresh_token_has_no_such_count(field: Field) -> None:
    caller = field.stage.as_(DAVE)
    text = Model(caller.tokens["refresh_token"], field.stage.guard.keyring.active()).with_claims(
        roles_omitted=1
    )
    answer = field.stage.caller().post("/v1/auth/refresh", json={"refresh_token": text})
    assert answer.json["code"] == "token.invalid"


def test_without_a_service_to_ask_a_missing_role_is_incomplete_and_never_denied(
    field: Field, crowded: str
) -> None:
    verifier = field.verifier()
    codes = [code(verifier, crowded, each) for each in (READ, APPROVE, "invoices:delete")]
    assert codes == ["ok", "roles.incomplete", "roles.incomplete"]
    headers = {"Authorization": f"Bearer {crowded}"}
    with pytest.raises(Refused) as refused:
        verifier.identify(headers, role="role-39-".ljust(100, "x"))
    answer = verifier.answer_to(refused.value)
    assert (answer.status, json.loads(answer.body)["code"]) == (403, "roles.incomplete")
    assert json.loads(answer.body)["required_role"].startswith("role-39-")
    assert verifier.identify(headers, role="role-00-".ljust(100, "x")).roles_omitted == 21


@pytest.fixture
def client(field: Field) -> tuple[str, str]:
    """A service account that may ask for decisions."""
    alice = field.stage.as_(ALICE)
    account = alice.post("/v1/service-accounts", json={"name": "orders"}).json
    alice.post("/v1/roles", json={"name": "decider", "permissions": ["access:evaluate"]})
    alice.put(f"/v1/service-accounts/{account['id']}/roles/decider")
    secret = alice.post(f"/v1/service-accounts/{account['id']}/secrets").json["client_secret"]
    return account["client_id"], secret


def test_it_asks_the_service_for_what_the_token_does_not_name(
    field: Field, crowded: str, client: tuple[str, str]
) -> None:
    verifier = field.verifier(client=client)
    codes = [code(verifier, crowded, each) for each in (READ, APPROVE, "invoices:delete", APPROVE)]
    assert codes == ["ok", "ok", "access.denied", "ok"]
    assert field.line.asked.count("/oauth/token") == 1
    assert field.line.asked.count("/access/v1/evaluation") == 3


def test_it_asks_about_the_session_and_not_about_a_new_one(
    field: Field, crowded: str, client: tuple[str, str]
) -> None:
    """Dave has chosen all of his roles but the one that permits approving."""
    names = [f"role-{number:02}-".ljust(100, "x") for number in range(39)]
    text = str(begin_with(field.stage, DAVE, *names).tokens["access_token"])
    assert jwt.decode(text, options={"verify_signature": False})["roles_omitted"]
    verifier = field.verifier(client=client)
    assert (code(verifier, crowded, APPROVE), code(verifier, text, APPROVE)) == ("ok", "access.denied")


def test_it_gets_a_new_token_when_its_own_was_revoked(
    field: Field, crowded: str, client: tuple[str, str]
) -> None:
    verifier = field.verifier(client=client)
    assert code(verifier, crowded, APPROVE) == "ok"
    assert verifier._evaluation
    verifier._evaluation._token = "x"
    assert code(verifier, crowded, APPROVE) == "ok"
    assert field.line.asked.count("/oauth/token") == 2


def test_a_service_that_does_not_answer_is_503(field: Field, crowded: str, client: tuple[str, str]) -> None:
    answers: dict[str, bytes] = {}
    field.line.change = answers.get  # type: ignore[assignment]
    verifier = field.verifier(client=client)
    for path, body in [
        ("/oauth/token", b"{}"),
        ("/oauth/token", b'{"access_token": "x", "expires_in": "soon"}'),
        ("/oauth/token", b"[" * 100_000),
        ("/access/v1/evaluation", b"[]"),
        ("/access/v1/evaluation", b'{"decision": "true"}'),
        ("/access/v1/evaluation", b"no"),
    ]:
        answers.clear()
        answers[path] = body
        assert code(verifier, crowded, APPROVE) == "service.unavailable", (path, body)
    answers.clear()
    wrong = field.verifier(client=(client[0], "wrong"))
    assert (code(wrong, crowded, APPROVE), code(wrong, crowded, READ)) == ("service.unavailable", "ok")


def test_a_service_account_with_many_roles_is_asked_about_as_one(
    field: Field, crowded: str, client: tuple[str, str]
) -> None:
    alice, account = field.stage.as_(ALICE), client[0]
    names = [f"role-{number:02}-".ljust(100, "x") for number in range(40)]
    for name in names:
        alice.put(f"/v1/service-accounts/{account}/roles/{name}")
    form = {"grant_type": "client_credentials", "client_id": client[0], "client_secret": client[1]}
    text = field.stage.caller().post("/oauth/token", data=form).json["access_token"]
    assert jwt.decode(text, options={"verify_signature": False})["roles_omitted"]
    assert code(field.verifier(client=client), text, APPROVE) == "ok"
