"""No history of calls by administrators of domains grants at a domain what the giver does not hold there, or shows what is elsewhere."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.assignments.terms import Terms
from rbac_api.cli.prepare import operator_unit
from rbac_api.guard.enforcement.authority import Authority
from tests.builders import Caller, Stage
from tests.contract.operations import operations
from tests.guard import hostile, tenants
from tests.guard.hostile import Attempt
from tests.guard.tenants import granted, held_at, prepare, restore, unreadable_words
from tests.sizes import sized

pytestmark = [pytest.mark.large, pytest.mark.soak]
HISTORIES, CALLS = sized(12, 1000), 50
# All of these administer something: at acme, at acme.eu and at globex.
DELEGATES = (("eve", "role-manager", "acme.eu"), ("ann", "admin", "acme.eu"))
ACTORS = ("ada", "lee", "eve", "ann", "gus-foreign")
AT_ACME = frozenset({"ada", "lee", "eve", "ann"})


def reads(stage: Stage, targets: dict[str, list[str]]) -> list[Attempt]:
    """Every reading operation at all targets."""
    found = []
    for operation in operations(stage.app):
        if operation.method == "GET" and not operation.public:
            more = "?permission=invoices:read" if operation.id.endswith("_access") else ""
            for names in product(*(targets[name] for name in operation.parameters)):
                path = operation.at(dict(zip(operation.parameters, names, strict=True)))
                found.append(Attempt(operation, path + more, None))
    return found


def faults(stage: Stage, seeds: range) -> list[str]:
    """What went wrong in the histories of these seeds, each of which begins with the same scene."""
    prepare(stage)
    with operator_unit(stage.settings, stage.database) as clearance:
        for name, role, domain in DELEGATES:
            assign_role(clearance, name, role, Terms(domain=domain))
    stage.keep(tenants.SCENE)
    targets = tenants.own_targets(stage)
    pools = [list(hostile.attempts_at(stage, targets)), reads(stage, targets)]
    return [fault for seed in seeds for fault in history(stage, pools, Random(seed))]


def history(stage: Stage, pools: list[list[Attempt]], chance: Random) -> list[str]:
    """One history: calls of any of them, one after the other, to any operation."""
    restore(stage)
    found, callers, before = [], dict[str, Caller](), granted(stage)
    for _ in range(CALLS):
        name, attempt = chance.choice(ACTORS), chance.choice(chance.choices(pools, (3, 1))[0])
        caller = callers.get(name) or signed_in(stage, name)
        if caller is None:
            continue
        callers[name] = caller
        answer = hostile.send(caller, attempt)
        if answer.status_code == 401:
            del callers[name]
        if name in AT_ACME and (words := unreadable_words(answer.text, f"{attempt.path} {attempt.body}")):
            found.append(f"{name}: {attempt}: {sorted(words)}")
        if answer.status_code < 300 and attempt.operation.writes:
            after = granted(stage)
            for (whom, at), held in after.items():
                if more := held - before.get((whom, at), frozenset()) - held_at(before, name, at):
                    found.append(f"{name}: {attempt}: {whom} has {sorted(more)} at {at}")
            before = after
    return found


def signed_in(stage: Stage, name: str) -> Caller | None:
    """The caller; None for one who cannot sign in any more."""
    caller = stage.caller()
    answer = caller.post("/v1/auth/login", json={"username": name, "password": tenants.PASSWORD})
    caller.tokens = answer.json
    return caller if answer.status_code == 200 else None


def test_no_history_gives_or_shows_what_is_not_the_callers(stage: Stage) -> None:
    assert faults(stage, range(HISTORIES)) == []


def test_histories_find_a_guard_that_asks_at_the_home_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin that lets anything be handed out at any domain by who may assign at the home of the account."""
    monkeypatch.setattr(Authority, "at", lambda self, domain: self._replace(domain=domain))
    monkeypatch.setattr(Authority, "require_held", lambda *_: None)
    monkeypatch.setattr("rbac_api.guard.enforcement.guard.require_decided", lambda *_: None)
    assert faults(stage, range(HISTORIES))
