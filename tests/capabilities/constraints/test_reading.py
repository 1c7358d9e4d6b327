"""Reading constraints as of a past time."""

from __future__ import annotations

from rbac_api import clock
from tests.builders import Stage
from tests.capabilities.constraints.rules import constrain, make_roles
from tests.cast import ALICE


def test_constraints_are_read_as_of_a_past_time(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    make_roles(alice, "clerk", "payer", "guest")
    nothing = clock.rfc3339(clock.now())
    assert constrain(alice, "static", "clerk", "payer", limit=2).status_code == 201
    first = clock.rfc3339(clock.now())
    assert alice.delete("/v1/constraints/rule").status_code == 204
    assert constrain(alice, "requires", "clerk", "guest").status_code == 201

    def kinds(query: str) -> list[str]:
        answer = alice.get(f"/v1/constraints?count=true{query}").json
        assert answer["total"] == len(answer["items"])
        return [one["kind"] for one in answer["items"]]

    assert (kinds(f"&at={nothing}"), kinds(f"&at={first}"), kinds("")) == ([], ["static"], ["requires"])
    assert alice.get(f"/v1/constraints/rule?at={first}").json["roles"] == ["clerk", "payer"]
    assert alice.get("/v1/constraints/rule").json["roles"] == ["clerk", "guest"]
    assert alice.get(f"/v1/constraints/rule?at={nothing}").json["code"] == "constraint.not_found"
    assert alice.get("/v1/constraints?at=2999-01-01T00:00:00Z").status_code == 422
