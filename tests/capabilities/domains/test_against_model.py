"""What the service answers, against the model of the contract (``tests/decision/domain_model.py``): random trees, assignments, revocations
and questions, over HTTP."""

from random import Random

import pytest

from rbac_api.capabilities.assignments.service import Terms, assign_role, revoke_role
from rbac_api.capabilities.domains.service import create_domain
from rbac_api.capabilities.roles.service import create_role
from rbac_api.cli.prepare import operator_unit
from tests.builders import Caller, Stage
from tests.cast import ALICE, BOBS_PERMISSIONS, CAROL, DAVE
from tests.decision.domain_model import Model, asked_about, grown
from tests.sizes import sized

SEED = 14
DECISIONS, WORLDS = sized(1_000, 200_000), sized(2, 40)
PEOPLE = (CAROL.username, DAVE.username)
PERMISSIONS = ("invoices:read", "invoices:approve", "payments:release")
ROLES = {"role-manager": set(BOBS_PERMISSIONS), "payer": {"payments:release"}}


def world(stage: Stage, random: Random) -> Model:
    """A random tree and random assignments, in the service and in the model; some are taken away again."""
    model = Model(grown(random, 14), ROLES)
    with operator_unit(stage.settings, stage.database) as clearance:
        for domain in sorted(set(model.tree.parent) - {"root"}, key=len):
            create_domain(clearance, {"name": domain})
        for _ in range(12):
            who, role, where = (
                random.choice(PEOPLE),
                random.choice(sorted(ROLES)),
                random.choice(sorted(model.tree.parent)),
            )
            if (who, role, where) in model.given:
                revoke_role(clearance, who, role, where)
            else:
                assign_role(clearance, who, role, Terms(domain=where))
            model.given ^= {(who, role, where)}
    return model


def questions(random: Random, model: Model, number: int) -> list[tuple[str, str, str]]:
    return [
        (random.choice(PEOPLE), random.choice(PERMISSIONS), asked_about(random, model.tree))
        for _ in range(number)
    ]


def answers(alice: Caller, asked: list[tuple[str, str, str]]) -> list[bool]:
    items = []
    for user, permission, domain in asked:
        resource, verb = permission.split(":")
        subject = {"type": "user", "id": user}
        entity = {"type": resource, "id": "1", "properties": {"domain": domain}}
        items.append({"subject": subject, "action": {"name": verb}, "resource": entity})
    found = alice.post("/access/v1/evaluations", json={"evaluations": items})
    assert found.status_code == 200
    return [one["decision"] for one in found.json["evaluations"]]


@pytest.mark.soak
def test_the_service_answers_as_the_contract_says(stage: Stage) -> None:
    random = Random(SEED)
    with operator_unit(stage.settings, stage.database) as clearance:
        create_role(clearance, {"name": "payer", "permissions": ["payments:release"]})
    stage.keep("payer")
    for _ in range(WORLDS):
        stage._put_back("payer")
        alice, model = stage.as_(ALICE), world(stage, random)
        for _ in range(DECISIONS // WORLDS // 500):
            asked = questions(random, model, 500)
            expected = [model.may(*one) if one[2] in model.tree.parent else False for one in asked]
            assert answers(alice, asked) == expected
            assert set(expected) == {True, False}
        for person in (DAVE, CAROL):
            mine = stage.as_(person).every("/v1/me/domains", "&permission=payments:release", limit=3)
            assert {one["name"] for one in mine} == model.where(person.username, "payments:release")
