"""Erin may hand out credentials and holds little.  What she handed out does not open an account that was given more than she holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from time_machine import Traveller

from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.users.service import known_user, reset_password
from rbac_api.cli.prepare import operator_unit
from tests.builders import Caller, OpenNode, Stage
from tests.capabilities.activations.scenes import after, make_role
from tests.capabilities.conftest import frozen as frozen  # noqa: PLC0414 -- a fixture
from tests.capabilities.oauth.robot import ACCOUNTS, Robot, ask_token
from tests.capabilities.policy.stories import apply
from tests.cast import ALICE, DAVE, NEW_PASSWORD, PASSWORD

ISSUER = (
    "service-accounts:read", "service-accounts:create", "service-accounts:update", "users:read", "users:create", "users:update",
    "users:reset-password", "invoices:read",
)  # fmt: skip
STRONG = "payments:release"
Promote = Callable[[Stage, Caller, str, str], Any]  # the stage, Alice, the account's path, its name


def by_policy(stage: Stage, alice: Caller, path: str, name: str) -> Any:
    return apply(alice, {"roles": [{"name": "clerk", "permissions": ["invoices:read", STRONG]}]})


def by_policy_inheritance(stage: Stage, alice: Caller, path: str, name: str) -> Any:
    return apply(
        alice, {"roles": [{"name": "clerk", "permissions": ["invoices:read"], "inherits": ["strong"]}]}
    )


def by_operator(stage: Stage, alice: Caller, path: str, name: str) -> Any:
    with operator_unit(stage.settings, stage.database) as clearance:
        assign_role(clearance, path.rpartition("/")[2], "strong")


PROMOTIONS: dict[str, Promote] = {
    "an assignment": lambda s, a, path, n: a.put(f"{path}/roles/strong"),
    "an assignment that begins later": lambda s, a, path, n: a.put(f"{path}/roles/strong", json={"starts_at": after(3600)}),
    "the role admin": lambda s, a, path, n: a.put(f"{path}/roles/admin"),
    "a permission of the role": lambda s, a, p, n: a.put(f"/v1/roles/clerk/permissions/{STRONG}"),
    "a permission of the inherited role": lambda s, a, p, n: a.put(f"/v1/roles/junior/permissions/{STRONG}"),
    "an inheritance": lambda s, a, p, n: a.put("/v1/roles/clerk/inherits/strong"),
    "an inheritance further down": lambda s, a, p, n: a.put("/v1/roles/junior/inherits/strong"),
    "a policy": by_policy,
    "a policy's inheritance": by_policy_inheritance,
}  # fmt: skip
FOR_PEOPLE: dict[str, Promote] = {
    **PROMOTIONS,
    "an eligible role": lambda s, a, path, n: a.put(f"{path}/roles/strong", json={"mode": "eligible"}),
    "the command line": by_operator,
    "a policy's assignment": lambda s, a, p, name: apply(
        a, {"assignments": [{"user": name, "role": "strong"}]}
    ),
}


@pytest.fixture
def alice(stage: Stage) -> Caller:
    """Alice, who has given Dave, in Erin's place, the issuer's role."""
    alice = stage.as_(ALICE)
    make_role(alice, "junior")
    make_role(alice, "clerk", "invoices:read", inherits="junior")
    make_role(alice, "strong", STRONG)
    make_role(alice, "issuer", *ISSUER)
    assert alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/issuer").status_code == 201
    return alice


def robot_of(stage: Stage, alice: Caller, issuer: Caller) -> Robot:
    """A service account that holds the role clerk, with a secret that the issuer knows."""
    account = alice.post(ACCOUNTS, json={"name": "invoice-robot"})
    path = account.headers["Location"]
    assert alice.put(f"{path}/roles/clerk").status_code == 201
    made = issuer.post(f"{path}/secrets")
    assert made.status_code == 201, made.text
    return Robot(account.json["id"], "invoice-robot", made.json["client_secret"], made.json["id"])


def program_of(stage: Stage, robot: Robot) -> Caller:
    program = Caller(stage)
    program.tokens = {"access_token": ask_token(stage, robot).json["access_token"]}
    return program


@pytest.mark.parametrize("promotion", sorted(PROMOTIONS))
def test_a_client_secret_and_its_tokens_end_with_a_promotion_above_the_issuer(
    stage: Stage, node: OpenNode, alice: Caller, promotion: str
) -> None:
    robot = robot_of(stage, alice, stage.as_(DAVE))
    program = program_of(stage, robot)
    assert program.get("/v1/me/access?permission=invoices:read").status_code == 200

    promoted = PROMOTIONS[promotion](stage, alice, robot.path, robot.name)
    assert promoted.status_code < 300, promoted.text

    for _ in range(2):
        assert program.get("/v1/me/access?permission=invoices:read").json["code"] == "token.revoked"
        assert program.post("/v1/roles", json={"name": "x"}).json["code"] == "token.revoked"
        assert ask_token(stage, robot).json["error"] == "invalid_client"
    assert "holds less than the account" in stage.events("client.failed")[0]["reason"]
    fresh = alice.post(f"{robot.path}/secrets").json
    better = Robot(robot.id, robot.name, fresh["client_secret"], fresh["id"])
    assert program_of(stage, better).get("/v1/me/access?permission=invoices:read").status_code == 200


@pytest.mark.parametrize("promotion", sorted(FOR_PEOPLE))
@pytest.mark.parametrize("way", ["created", "reset"])
def test_a_setup_token_ends_with_a_promotion_above_the_issuer(
    stage: Stage, alice: Caller, way: str, promotion: str
) -> None:
    issuer, maker = stage.as_(DAVE), stage.as_(DAVE) if way == "created" else alice
    made = maker.post("/v1/users", json={"username": "nora"})
    path = made.headers["Location"]
    assert alice.put(f"{path}/roles/clerk").status_code == 201
    token = (
        made.json["password_setup"]["token"]
        if way == "created"
        else issuer.post(f"{path}/password-reset").json["token"]
    )

    FOR_PEOPLE[promotion](stage, alice, path, "nora")

    spent = stage.caller().post(
        "/v1/auth/password-setup", json={"token": token, "new_password": NEW_PASSWORD}
    )
    assert (spent.status_code, spent.json["code"]) == (401, "setup_token.invalid")
    assert stage.events("password.set") == []
    better = alice.post(f"{path}/password-reset").json["token"]
    body = {"token": better, "new_password": NEW_PASSWORD}
    assert stage.caller().post("/v1/auth/password-setup", json=body).status_code == 204


@pytest.mark.parametrize("promotion", sorted(FOR_PEOPLE))
def test_a_temporary_password_ends_with_a_promotion_above_who_chose_it(
    stage: Stage, alice: Caller, promotion: str
) -> None:
    made = stage.as_(DAVE).post("/v1/users", json={"username": "nora", "password": PASSWORD})
    path = made.headers["Location"]
    alice.put(f"{path}/roles/clerk")
    begun = stage.as_("nora")

    FOR_PEOPLE[promotion](stage, alice, path, "nora")

    entered = stage.caller().post("/v1/auth/login", json={"username": "nora", "password": PASSWORD})
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    changed = begun.post("/v1/me/password", json=change)
    assert (entered.json["code"], changed.json["code"]) == ("login.failed", "password.wrong")
    assert "holds less than the account" in stage.events("signin.failed")[0]["reason"]


def test_what_the_issuer_holds_too_changes_nothing(stage: Stage, alice: Caller) -> None:
    issuer = stage.as_(DAVE)
    robot, user = robot_of(stage, alice, issuer), issuer.post("/v1/users", json={"username": "nora"})
    token = user.json["password_setup"]["token"]

    alice.put("/v1/roles/clerk/permissions/users:read")
    alice.put(f"{user.headers['Location']}/roles/clerk")

    assert program_of(stage, robot).get("/v1/users").status_code == 200
    body = {"token": token, "new_password": NEW_PASSWORD}
    assert stage.caller().post("/v1/auth/password-setup", json=body).status_code == 204


def test_a_secret_outlives_its_issuers_leaving_but_no_later_promotion(
    stage: Stage, alice: Caller, frozen: Traveller
) -> None:
    robot = robot_of(stage, alice, stage.as_(DAVE))
    frozen.shift(1)
    assert alice.delete_now(f"/v1/users/{stage.user_id(DAVE)}").status_code == 204

    assert program_of(stage, robot).get("/v1/me/access?permission=invoices:read").status_code == 200
    alice.put("/v1/roles/clerk/permissions/users:read")  # which the role of the issuer holds
    assert program_of(stage, robot).get("/v1/users").status_code == 200
    alice.put(f"/v1/roles/clerk/permissions/{STRONG}")
    assert ask_token(stage, robot).json["error"] == "invalid_client"


def test_a_secret_lives_on_when_its_issuer_is_promoted_too(stage: Stage, alice: Caller) -> None:
    robot = robot_of(stage, alice, stage.as_(DAVE))
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/strong")
    alice.put(f"{robot.path}/roles/strong")
    program = program_of(stage, robot)
    assert program.get("/v1/me/access?permission=invoices:read").status_code == 200

    alice.delete(f"/v1/users/{stage.user_id(DAVE)}/roles/strong")

    assert program.get("/v1/me/access?permission=invoices:read").json["code"] == "token.revoked"


def test_a_role_of_the_issuer_that_ends_at_a_domain_covers_until_then(
    stage: Stage, alice: Caller, frozen: Traveller
) -> None:
    robot = robot_of(stage, alice, stage.as_(DAVE))
    frozen.shift(1)
    assert alice.post("/v1/domains", json={"name": "acme"}).status_code == 201
    ending = {"domain": "acme", "expires_at": after(600)}
    assert alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/strong", json=ending).status_code == 201
    assert alice.put(f"{robot.path}/roles/strong", json={"domain": "acme"}).status_code == 201
    program = program_of(stage, robot)
    for _ in range(2):
        assert program.get("/v1/me/access?permission=invoices:read").status_code == 200

    frozen.shift(660)

    assert program.get("/v1/me/access?permission=invoices:read").json["code"] == "token.revoked"


def test_what_the_operator_handed_out_is_never_asked_about(stage: Stage, alice: Caller) -> None:
    made = alice.post("/v1/users", json={"username": "nora"})
    with operator_unit(stage.settings, stage.database) as clearance:
        user: Any = known_user(clearance, "nora")
        token = reset_password(clearance, user.id)["token"]
    alice.put(f"{made.headers['Location']}/roles/admin")

    body = {"token": token, "new_password": NEW_PASSWORD}
    assert stage.caller().post("/v1/auth/password-setup", json=body).status_code == 204


def test_a_secret_of_which_it_is_not_known_who_issued_it_is_good_for_whatever_the_account_holds(
    stage: Stage, alice: Caller
) -> None:
    robot = robot_of(stage, alice, stage.as_(DAVE))
    stage.execute("UPDATE client_secrets SET created_by = NULL")
    program = program_of(stage, robot)

    alice.put(f"{robot.path}/roles/admin")

    assert program.get("/v1/users").status_code == 200
    assert ask_token(stage, robot).status_code == 200
