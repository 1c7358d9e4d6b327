"""The policy of a domain is applied with what is held there: against accounts that are stronger elsewhere, at any moment, of any tree."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from rbac_api import clock
from rbac_api.capabilities.policy import assigning, engine, outranking
from rbac_api.formats.strict_yaml import yaml_text
from rbac_api.guard.enforcement.authority import Authority
from tests.builders import Caller, Stage
from tests.capabilities.policy.stories import export
from tests.cast import ALICE
from tests.cli.conftest import Shell, shell
from tests.guard.domain_policies import EMPTY, NOTHING_TO_DO, OWN, ada, applied, grow, of, outside, planned
from tests.guard.tenants import FOREIGN, prepare

__all__ = ["ada", "shell"]  # fixtures


STRONGER = {"assignments": [{"user": "amy", "role": "clerk", "domain": "acme.eu"}]}


@pytest.mark.parametrize("twin", [None, "noted at the domain", "compared at the domain"])
def test_who_is_stronger_elsewhere_is_not_administered(
    stage: Stage, ada: Caller, monkeypatch: pytest.MonkeyPatch, twin: str | None
) -> None:
    """Amy is a clerk at globex, where Ada is nobody.  The twins ask only what Ada holds at acme."""
    if twin == "noted at the domain":
        right = Authority.note_held
        monkeypatch.setattr(Authority, "note_held", lambda self: right(self._replace(domain="acme")))
    elif twin is not None:
        monkeypatch.setattr(assigning, "_outrank", lambda *_: None)
    answer = applied(ada, STRONGER)
    if twin is None:
        assert (answer.status_code, answer.json["code"]) == (403, "target.stronger"), answer.json
    else:
        assert answer.status_code == 200


@pytest.mark.parametrize("twin", [False, True])
def test_a_role_is_not_changed_under_a_holder_who_is_stronger_elsewhere(
    stage: Stage, ada: Caller, monkeypatch: pytest.MonkeyPatch, twin: bool
) -> None:
    """The twin takes Ada, who holds everything at acme, for one who holds everything."""
    applied(
        stage.as_(ALICE),
        {"assignments": [{"user": "gus-foreign", "role": "manager-acme@acme", "domain": "acme"}]},
        "root",
    )
    if twin:
        monkeypatch.setattr(outranking, "ROOT", "acme")
    answer = applied(ada, {"roles": [{"name": "manager-acme@acme", "permissions": []}]})
    if twin:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json["code"]) == (403, "target.stronger"), answer.json
        assert not FOREIGN.search(answer.text)


@pytest.mark.parametrize("twin", [False, True])
def test_who_loses_the_permission_at_the_domain_meanwhile_writes_nothing(
    stage: Stage, ada: Caller, monkeypatch: pytest.MonkeyPatch, twin: bool
) -> None:
    """Between computing and writing, ``policy:apply`` moves to another domain.  The twin does not ask again under the lock."""
    alice, times, right = stage.as_(ALICE), list[int](), engine.with_outdated
    ada_id = stage.user_id("ada")
    tag = {"If-Match": ada.get(of("")).headers["ETag"]}

    def unasked(self: Authority, domain: str) -> Authority:
        self.work.undecided = False
        return self._replace(domain=domain)

    def interrupted(work: Any) -> Any:
        if not times:
            times.append(1)
            alice.put(f"/v1/users/{ada_id}/roles/admin", json={"domain": "acme-eu"})
            alice.delete(f"/v1/users/{ada_id}/roles/admin?domain=acme")
        return right(work)

    monkeypatch.setattr(engine, "with_outdated", interrupted)
    if twin:
        monkeypatch.setattr(engine, "is_current", lambda *_: True)
        monkeypatch.setattr(Authority, "at", unasked)
        monkeypatch.setattr(Authority, "require_permission", lambda *_: None)
    answer = ada.post(of("/apply"), json={"domains": OWN["domains"]}, headers=tag)
    made = stage.query("SELECT 1 FROM domains WHERE name = 'acme.shop'")
    assert bool(made) == twin, answer.json


def test_a_plan_names_the_people_of_the_domain_and_no_others(stage: Stage, ada: Caller) -> None:
    held = [{"user": name, "role": "manager-acme@acme", "domain": "acme"} for name in ("ann", "nil-foreign")]
    applied(stage.as_(ALICE), {"assignments": held}, "root")
    found = planned(ada, {"roles": [{"name": "manager-acme@acme", "permissions": ["payments:release"]}]}).json
    named = [one["user"] and one["user"]["username"] for one in found["gains"]]
    assert sorted(named, key=str) == [None, "ann"]
    assert found["sessions_stale"] is None
    assert not FOREIGN.search(json.dumps(found))


def test_the_policy_of_a_domain_as_it_was(stage: Stage, ada: Caller) -> None:
    then = clock.rfc3339(clock.now())
    first = ada.get(of("")).json
    applied(ada, OWN)
    past = ada.get(of("", at=then))
    assert past.json == first
    assert ada.get(of("", "acme.shop", at=then)).json["code"] == "domain.not_found"


def test_a_plan_of_one_domain_is_not_that_of_another(stage: Stage, ada: Caller) -> None:
    document = {"domains": [{"name": "acme.eu.shop"}]}
    hashes = {planned(ada, document, domain).json["hash"] for domain in ("acme", "acme.eu")}
    assert len(hashes) == 2


def test_an_entry_may_state_its_home_apart(ada: Caller) -> None:
    applied(ada, OWN)
    apart = [{**one, "name": one["name"].partition("@")[0], "home": "acme"} for one in OWN["roles"]]
    rule = {**OWN["constraints"][0], "name": "apart", "home": "acme"}
    assert planned(ada, {"roles": apart, "constraints": [rule]}).json["summary"] == NOTHING_TO_DO
    refused = planned(ada, {"roles": [{"name": "seller", "home": "globex"}]})
    assert [one["code"] for one in refused.json["errors"]] == ["policy.outside"]


def test_the_command_line_keeps_to_a_domain_too(
    stage: Stage, ada: Caller, shell: Shell, tmp_path: Path
) -> None:
    before, path = outside(stage, "acme"), tmp_path / "acme.yaml"
    assert shell("policy", "export", "--domain", "acme", "--file", str(path)).exit_code == 0
    assert shell("policy", "drift", "--domain", "acme", "--file", str(path)).stdout == "In sync.\n"
    path.write_text(yaml_text({**OWN, "domains": [*OWN["domains"], {"name": "acme.eu"}]}), encoding="utf-8")

    found = shell("policy", "drift", "--domain", "acme", "--file", str(path))
    assert found.exit_code == 2
    assert not FOREIGN.search(found.stdout)
    assert shell("policy", "plan", "--domain", "acme", "--file", str(path)).exit_code == 2
    assert shell("policy", "apply", "--domain", "acme", "--file", str(path), "--yes").exit_code == 0
    assert shell("policy", "plan", "--domain", "acme", "--file", str(path)).exit_code == 0
    seq = stage.query("SELECT max(seq) FROM policy_changes")[0][0]
    assert shell("policy", "revert", "--domain", "acme.eu", str(seq), "--yes").exit_code == 1
    assert shell("policy", "revert", "--domain", "acme", str(seq), "--yes").exit_code == 0
    refused = shell("policy", "plan", "--domain", "globex", "--file", str(path))
    assert (refused.exit_code, "this document is of globex" in refused.stderr) == (1, True)
    assert shell("policy", "export", "--domain", "nowhere").exit_code == 1
    assert outside(stage, "acme") == before


@pytest.mark.parametrize("seed", range(4))
def test_what_is_exported_of_any_domain_is_in_force_there_and_emptying_it_touches_nothing_else(
    stage: Stage, seed: int
) -> None:
    prepare(stage)
    alice, random = stage.as_(ALICE), Random(seed)
    grown = applied(alice, grow(random), "root")
    assert grown.status_code == 200, grown.text
    names = [name for (name,) in stage.query("SELECT name FROM domains WHERE valid_to IS NULL ORDER BY name")]
    for domain in names:
        found = alice.get(of("", domain)).json
        assert planned(alice, found, domain, "true").json["summary"] == NOTHING_TO_DO, domain
    domain, before = random.choice(names[:3]), {}
    before = outside(stage, domain)
    rest = {**EMPTY, "domains": alice.get(of("", domain)).json["domains"]}
    own = alice.get(of("", domain)).json
    held = {one["role"] for one in export(alice)["assignments"] if one not in own["assignments"]}
    rest["roles"] = [one for one in own["roles"] if one["name"] in held]
    rest["roles"] = [{**one, "inherits": []} for one in rest["roles"]]
    done = applied(alice, rest, domain, "true")
    assert done.status_code == 200, done.text
    assert outside(stage, domain) == before
    assert planned(alice, rest, domain, "true").json["summary"] == NOTHING_TO_DO
