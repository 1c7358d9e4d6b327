"""Who administers a domain plans and applies its policy, and neither changes nor learns of anything outside."""

from __future__ import annotations

from typing import Any

import pytest

from rbac_api.capabilities.policy import engine, revert
from tests.builders import Caller, Stage
from tests.cast import ALICE
from tests.guard.domain_policies import EMPTY, NOTHING_TO_DO, OWN, ada, applied, of, outside, planned
from tests.guard.tenants import FOREIGN, administrator, prepare, shown

__all__ = ["ada"]  # a fixture


def test_the_administrator_of_a_domain_plans_applies_exports_and_reverts(stage: Stage, ada: Caller) -> None:
    before, first = outside(stage, "acme"), ada.get(of("")).json

    found = planned(ada, OWN)
    assert (found.status_code, found.json["refusals"]) == (200, []), found.json
    assert found.json["summary"] == "6 to add, 0 to change, 0 to remove"
    done = applied(ada, OWN)
    assert done.status_code == 200, done.text
    assert applied(ada, OWN).json["seq"] is None  # a second time there is nothing to do

    now = ada.get(of(""))
    assert [one["name"] for one in now.json["domains"]] == ["acme.eu", "acme.shop"]
    assert [one["name"] for one in now.json["roles"]] == [
        "buyer@acme",
        "manager-acme@acme",
        "second@acme",
        "seller@acme",
    ]
    assert (now.json["permissions"], [one["name"] for one in now.json["constraints"]]) == (
        [],
        ["apart@acme", "two@acme"],
    )
    assert not FOREIGN.search(now.text)
    assert planned(ada, now.json, prune="true").json["summary"] == NOTHING_TO_DO
    assert [event["domain"] for event in stage.events() if event["action"] == "policy.applied"] == ["acme"]

    back = ada.post(of("/revert"), json={"seq": done.json["seq"]})
    assert back.status_code == 200, back.text
    assert ada.get(of("")).json == first
    assert outside(stage, "acme") == before


def test_pruning_removes_what_is_in_the_domain_and_nothing_outside(stage: Stage, ada: Caller) -> None:
    applied(ada, OWN)
    before = outside(stage, "acme")
    kept = [one for one in ada.get(of("")).json["assignments"] if one.get("user") == "ada"]
    gone = {
        **EMPTY,
        "permissions": [],
        "assignments": [*kept, {"user": "eve", "role": "clerk", "domain": "acme.eu"}],
    }
    done = applied(ada, {**gone, "domains": [{"name": "acme.eu"}]}, prune="true")
    assert done.status_code == 200, done.text
    assert [one["name"] for one in done.json["removed"]["roles"]] == [
        "buyer@acme",
        "manager-acme@acme",
        "second@acme",
        "seller@acme",
    ]
    assert outside(stage, "acme") == before
    assert not FOREIGN.search(done.text)


OUTSIDE = {
    "a permission": ({"permissions": [{"name": "tea:brew", "description": "Brew."}]}, "/permissions/0"),
    "the domain itself": ({"domains": [{"name": "acme"}]}, "/domains/0/name"),
    "a domain above": ({"domains": [{"name": "globex"}]}, "/domains/0/name"),
    "a domain that begins alike": ({"domains": [{"name": "acme-eu.shop"}]}, "/domains/0/name"),
    "a role of root": ({"roles": [{"name": "clerk"}]}, "/roles/0/name"),
    "a built-in role": ({"roles": [{"name": "admin", "permissions": []}]}, "/roles/0/name"),
    "another tenant's role": ({"roles": [{"name": "manager-foreign@globex"}]}, "/roles/0/name"),
    "a constraint of root": (
        {"constraints": [{"name": "apart", "kind": "static", "roles": ["clerk", "admin"], "limit": 2}]},
        "/constraints/0/name",
    ),
    "an assignment above": ({"assignments": [{"user": "ann", "role": "clerk"}]}, "/assignments/0"),
    "an assignment elsewhere": (
        {"assignments": [{"user": "ann", "role": "clerk", "domain": "globex"}]},
        "/assignments/0/domain",
    ),
}  # fmt: skip


@pytest.mark.parametrize("entry", OUTSIDE)
def test_an_entry_about_something_outside_is_refused_with_its_place(
    stage: Stage, ada: Caller, entry: str
) -> None:
    document, pointer = OUTSIDE[entry]
    alice = stage.as_(ALICE)
    before = outside(stage, "nowhere")
    for answer in (planned(ada, document), applied(ada, document), applied(alice, document)):
        assert (answer.status_code, answer.json["code"]) == (422, "request.invalid"), answer.json
        assert [(one["pointer"], one["code"]) for one in answer.json["errors"]] == [
            (pointer, "policy.outside")
        ]
    assert outside(stage, "nowhere") == before


def test_an_outside_entry_that_nothing_refuses_is_caught(
    stage: Stage, ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin that does not look where entries are."""
    monkeypatch.setattr(engine, "require_inside", lambda *_: None)
    before = outside(stage, "acme")
    document = {"domains": [{"name": "initech"}]}
    assert applied(ada, document).status_code == 200
    assert outside(stage, "acme") != before


def named(kind: str, name: str) -> dict[str, Any]:
    """A document that names something."""
    return {
        "user": {"assignments": [{"user": name, "role": "clerk", "domain": "acme"}]},
        "service_account": {"assignments": [{"service_account": name, "role": "clerk", "domain": "acme"}]},
        "role": {"assignments": [{"user": "ann", "role": name, "domain": "acme"}]},
        "inherits": {"roles": [{"name": "seller@acme", "inherits": [name]}]},
        "rule": {"constraints": [{"name": "r@acme", "kind": "static", "roles": ["manager-acme@acme", name], "limit": 2}]},
        "permission": {"roles": [{"name": "seller@acme", "permissions": [name]}]},
    }[kind]  # fmt: skip


TOLD_ALIKE = {
    "user": ("gus-foreign", "nobody"),
    "service_account": ("robot-foreign", "nothing"),
    "role": ("manager-foreign@globex", "manager-unknown@globex"),
    "inherits": ("manager-foreign@globex", "manager-unknown@globex"),
    "rule": ("manager-foreign@globex", "manager-unknown@globex"),
    "permission": ("payments:release", "payments:unheard"),
}


def told_apart(stage: Stage) -> list[str]:
    """What Lee, who does not hold everything at acme, can tell of what is elsewhere."""
    prepare(stage)
    alice = stage.as_(ALICE)
    for permission in ("policy:read", "policy:plan", "policy:apply", "constraints:create"):
        alice.put(f"/v1/roles/role-manager/permissions/{permission}")
    lee, found = administrator(stage, "lee"), []
    for kind, names in TOLD_ALIKE.items():
        for prune in ("false", "true"):
            answers = [shown(planned(lee, named(kind, name), prune=prune), names) for name in names]
            if answers[0] != answers[1]:
                found.append(f"{kind} {prune}: {answers}")
    return found


def test_what_is_elsewhere_is_answered_as_what_does_not_exist(stage: Stage) -> None:
    assert told_apart(stage) == []


def test_names_that_are_looked_up_everywhere_are_caught(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twins that compare with the whole policy, and with all accounts."""
    monkeypatch.setattr(engine, "nameable", lambda _state, present, _domain: present)
    told = told_apart(stage)
    assert {one.split()[0] for one in told} == {"role", "inherits", "rule", "permission"}
    monkeypatch.setattr(engine, "is_in", lambda *_: True)
    assert {one.split()[0] for one in told_apart(stage)} >= {"user", "service_account"}


@pytest.mark.parametrize("path", ["", "/plan", "/apply", "/revert"])
def test_other_domains_are_refused_alike_whether_they_exist_or_not(
    stage: Stage, ada: Caller, path: str
) -> None:
    def ask(caller: Caller, query: str) -> tuple[int, str]:
        body, tag = ({"seq": 1} if path == "/revert" else OWN), {"If-Match": '"1"'}
        address = f"/v1/policy{path}{query}"
        answer = caller.post(address, json=body, headers=tag) if path else caller.get(address)
        return answer.status_code, answer.json["code"]

    for query in ("", "?domain=root", "?domain=globex", "?domain=nowhere", "?domain=acme-eu"):
        assert ask(ada, query) == (403, "access.denied")
    assert ask(ada, "?domain=acme.nowhere") == (404, "domain.not_found")
    assert ask(stage.as_(ALICE), "?domain=nowhere") == (404, "domain.not_found")


def test_the_state_that_was_seen_is_required_at_a_domain_too(ada: Caller) -> None:
    stale = ada.post(of("/apply"), json=OWN, headers={"If-Match": '"1"'})
    assert stale.status_code == 412


def test_what_changed_anything_outside_is_no_change_of_the_domain(stage: Stage, ada: Caller) -> None:
    alice = stage.as_(ALICE)
    changes = (
        {"domains": [{"name": "acme.shop"}, {"name": "initech"}]},
        {"roles": [{"name": "helper", "description": "Helps."}]},
        {"permissions": [{"name": "tea:brew", "description": "Brew."}]},
        {"assignments": [{"user": "rob-foreign", "role": "clerk", "domain": "acme"}]},
        {"assignments": [{"user": "ann", "role": "clerk", "domain": "globex"}]},
    )
    for change in changes:
        done = applied(alice, change, "root").json
        answers = [ada.post(of("/revert"), json={"seq": seq}) for seq in (done["seq"], 1)]
        assert {(one.status_code, one.json["code"]) for one in answers} == {(404, "policy.not_found")}, change
    inner = applied(
        alice, {"roles": [{"name": "seller@acme", "permissions": ["invoices:read"]}]}, "root"
    ).json
    assert ada.post(of("/revert", "acme.eu"), json={"seq": inner["seq"]}).status_code == 404
    assert ada.post(of("/revert"), json={"seq": inner["seq"]}).status_code == 200
    again = ada.post(of("/revert"), json={"seq": inner["seq"]})
    assert (again.status_code, again.json["code"]) == (409, "policy.reverted")


def test_a_revert_that_does_not_look_where_its_steps_were_is_caught(
    stage: Stage, ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin of ``revert``."""
    done = applied(stage.as_(ALICE), {"domains": [{"name": "initech"}]}, "root").json
    monkeypatch.setattr(revert, "is_inside", lambda *_: True)
    assert ada.post(of("/revert"), json={"seq": done["seq"]}).status_code == 200
