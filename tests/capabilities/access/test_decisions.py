"""Every 403 has a number, under which it is explained with everything as it was."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from rbac_api.guard.enforcement.decorators import requires_role
from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import as_robot, make_robot
from tests.cast import ALICE, BOB, CAROL, DAVE, PASSWORD
from tests.guard.test_repeated_refusals import PLACE
from tests.trail.breakage import renamed


def refused(answer: Any) -> str:
    """The number of a refusal."""
    assert answer.status_code == 403
    return str(answer.json["decision_id"])


def explained(caller: Caller, decision_id: str) -> Any:
    answer = caller.get(f"/v1/decisions/{decision_id}")
    assert answer.status_code == 200
    return answer.json


# -- attacks ------------------------------------------------------------------------------------------------------------------------


def test_somebody_elses_refusal_is_as_unknown_as_one_that_never_was(stage: Stage) -> None:
    bobs = refused(stage.as_(BOB).get("/v1/audit/events"))
    dave = stage.as_(DAVE)

    his, nobodys = (
        dave.get(f"/v1/decisions/{bobs}"),
        dave.get("/v1/decisions/0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"),
    )

    same = {"request_id": None}
    assert (his.status_code, his.json | same) == (404, nobodys.json | same)
    assert (
        explained(stage.as_(BOB), bobs)["code"]
        == explained(stage.as_(CAROL), bobs)["code"]
        == "access.denied"
    )


def test_a_refusal_by_nobody_in_particular_is_nobodys_own(stage: Stage) -> None:
    """Somebody who presents a browser's cookie without its token is not known to be the one it was given to."""
    browser = stage.caller()
    answer = browser.client.post(
        "/v1/auth/login?mode=cookie", json={"username": "dave", "password": PASSWORD}
    )
    assert answer.status_code == 200
    decision_id = refused(browser.client.post("/v1/auth/refresh"))

    assert stage.as_(DAVE).get(f"/v1/decisions/{decision_id}").status_code == 404
    told = explained(stage.as_(CAROL), decision_id)
    assert (told["user"], told["permission"], told["path"]) == (None, None, "/v1/auth/refresh")
    assert told["because"] == [{"code": "csrf.failed", "detail": told["detail"]}]


# -- what it is for -----------------------------------------------------------------------------------------------------------------


def test_dave_learns_why_he_was_refused_though_he_may_by_now(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    decision_id = refused(dave.get("/v1/roles"))
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor")
    assert dave.get("/v1/roles").status_code == 200

    told = explained(dave, decision_id)

    assert (told["decision"], told["paths"], told["nearest"]) == (False, [], [])
    assert [reason["code"] for reason in told["because"]] == ["nothing-grants"]
    assert (told["user"]["username"], told["session_id"]) == ("dave", dave.tokens["session_id"])
    assert (told["method"], told["path"], told["permission"], told["role"]) == (
        "GET",
        "/v1/roles",
        "roles:read",
        None,
    )
    (event,) = [event for event in stage.events("access.refused") if event["seq"] == told["seq"]]
    assert event["reason"] == told["detail"]


def test_a_refusal_names_the_roles_that_its_reader_may_assign(stage: Stage) -> None:
    """The smallest first; Carol reads the trail but assigns nothing, and Dave himself cannot help himself."""
    alice = stage.as_(ALICE)
    decision_id = refused(stage.as_(DAVE).get("/v1/roles"))

    nearest = explained(alice, decision_id)["nearest"]

    assert (
        nearest == alice.get(f"/v1/users/{stage.user_id(DAVE)}/access?permission=roles:read").json["nearest"]
    )
    assert nearest[-1] == "admin"
    assert "auditor" in nearest
    assert explained(stage.as_(CAROL), decision_id)["nearest"] == []
    assert explained(stage.as_(DAVE), decision_id)["nearest"] == []


@pytest.mark.parametrize("since", ["assigned", "disabled"])
def test_no_role_is_named_where_none_would_help_any_more(stage: Stage, since: str) -> None:
    alice, daves = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}"
    refusal = refused(stage.as_(DAVE).get("/v1/roles"))
    assert explained(alice, refusal)["nearest"] != []

    if since == "assigned":
        assert alice.put(f"{daves}/roles/auditor").status_code == 201
    else:
        etag = {"If-Match": alice.get(daves).headers["ETag"]}
        assert alice.patch(daves, json={"status": "disabled"}, headers=etag).status_code == 200

    assert explained(alice, refusal)["nearest"] == []


def test_a_refusal_is_explained_by_the_session_as_it_was(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor")
    dave = Caller(stage)
    begun = {"username": "dave", "password": PASSWORD, "roles": []}
    dave.tokens = dave.client.post("/v1/auth/login", json=begun).json or {}
    decision_id = refused(dave.get("/v1/roles"))
    assert (
        dave.put("/v1/me/activations/auditor", json={"duration": 600, "reason": "audit"}).status_code == 201
    )
    assert dave.get("/v1/roles").status_code == 200

    told = explained(dave, decision_id)

    assert [reason["code"] for reason in told["because"]] == ["not-active"]


def test_a_refusal_for_another_cause_says_which(stage: Stage) -> None:
    """Bob may create roles, but not ones that hold what he does not."""
    bob = stage.as_(BOB)
    body = {"name": "payer", "permissions": ["payments:release"]}

    told = explained(bob, refused(bob.post("/v1/roles", json=body)))

    assert [reason["code"] for reason in told["because"]] == ["escalation.denied"]
    assert (told["decision"], told["permission"]) == (False, "roles:create")
    assert [path[0]["role"] for path in told["paths"]] == ["role-manager"]  # that he had


def test_a_program_is_told_too(stage: Stage) -> None:
    robot = make_robot(stage)
    caller = as_robot(stage, robot)

    told = explained(caller, refused(caller.get("/v1/users")))

    assert (told["user"]["username"], told["permission"]) == ("invoice-robot", "users:read")


def test_a_refusal_in_the_form_of_oauth_is_kept_as_well(stage: Stage) -> None:
    dave = stage.as_(DAVE)

    answer = dave.post("/oauth/introspect", data={"token": "x"})

    assert len(stage.events("access.refused")) == 1  # links what waits
    ((decision_id,),) = stage.query("SELECT id FROM decisions")
    told = explained(dave, str(UUID(str(decision_id))))
    assert (answer.status_code, told["permission"]) == (401, "tokens:introspect")


def test_a_missing_role_is_told_as_a_role(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    with stage.app.test_request_context("/reports", headers=dave.headers), pytest.raises(Exception) as caught:  # noqa: PT011
        requires_role("clerk")(lambda: "")()

    told = explained(dave, caught.value.members["decision_id"])

    assert (told["permission"], told["role"]) == (None, "clerk")
    assert [reason["code"] for reason in told["because"]] == ["access.denied"]


def test_a_permission_that_depends_on_the_question_is_named(stage: Stage) -> None:
    dave = stage.as_(DAVE)

    answer = dave.get("/v1/access/diff?from=2026-01-01T00:00:00Z&role=admin")

    assert (answer.status_code, answer.json["required"]) == (403, "roles:read")
    assert explained(dave, answer.json["decision_id"])["permission"] == "roles:read"


def test_a_refusal_that_cannot_be_written_is_no_refusal_with_a_number_that_leads_nowhere(
    stage: Stage,
) -> None:
    """As before there were numbers: nothing is done, and the answer says that the trail is down."""
    dave = stage.as_(DAVE)
    with renamed(stage, PLACE[stage.engine]):
        answer = dave.get("/v1/roles")

    assert answer.status_code == 503
    assert stage.events("access.refused") == []
