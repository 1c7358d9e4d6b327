"""What a plan, a comparison and an export hold in memory depends on the document, not on how many users there are."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rbac_api.capabilities.policy import export, impact, service
from rbac_api.cli.prepare import operator_unit
from rbac_api.decision.document import read_document
from rbac_api.guard.enforcement.clearance import Clearance
from tests.builders import Stage
from tests.capabilities.policy.stories import TEA, apply
from tests.capabilities.policy.test_export import add_holders
from tests.cast import ALICE
from tests.cli.conftest import Shell, shell

__all__ = ["shell"]

FEW, MANY = 1_500, 4_000
UNRELATED = {"permissions": [{"name": "cake:bake", "description": "Bake cake."}]}
OF_ALL = {"roles": [{"name": "head-brewer", "inherits": ["brewer"], "permissions": ["payments:release"]}]}
PLANS: dict[str, Callable[[Clearance], Any]] = {
    "a plan that concerns none of them": lambda clearance: service.plan_policy(
        clearance, read_document(UNRELATED), prune=False
    ),
    "a plan that changes the role of all": lambda clearance: service.plan_policy(
        clearance, read_document(OF_ALL), prune=False
    ),
    "a comparison without assignments": lambda clearance: service.find_drift(
        clearance, read_document(OF_ALL)
    ),
}


pytestmark = pytest.mark.large


@pytest.fixture(autouse=True)
def small(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the limits were small, and a role that many have."""
    monkeypatch.setattr(impact, "MAX_LISTED", 10)
    monkeypatch.setattr(impact, "PORTION", 250)
    monkeypatch.setattr(export, "MAX_IN_MEMORY", 10_000)
    apply(stage.as_(ALICE), TEA)
    compare = impact._compare

    def compared(*arguments: Any) -> None:
        compare(*arguments)
        gc.collect()  # cycles that wait for the collector are not kept

    monkeypatch.setattr(impact, "_compare", compared)


def peak(work: Callable[[], object]) -> int:
    """The most memory in use meanwhile, in bytes; the least of three times, since other threads use memory
    too."""
    work()
    return min(_peak(work) for _ in range(3))


def _peak(work: Callable[[], object]) -> int:
    gc.collect()
    gc.freeze()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.unfreeze()


def growth(stage: Stage, work: Callable[[], object]) -> int:
    """How much more memory it takes with many holders of one role than with few."""
    add_holders(stage, FEW, "head-brewer")
    before = peak(work)
    add_holders(stage, MANY - FEW, "head-brewer")
    return peak(work) - before


def by_operator(stage: Stage, plan: Callable[[Clearance], Any]) -> Callable[[], object]:
    def work() -> object:
        with operator_unit(stage.settings, stage.database, writes=False) as clearance:
            return plan(clearance)

    return work


@pytest.mark.parametrize("plan", PLANS)
def test_more_holders_take_no_more_memory(stage: Stage, plan: str) -> None:
    assert growth(stage, by_operator(stage, PLANS[plan])) < 60_000


def test_holders_compared_at_once_would(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vulnerable twin."""
    monkeypatch.setattr(impact, "PORTION", 1 << 30)

    assert growth(stage, by_operator(stage, PLANS["a plan that changes the role of all"])) > 1_000_000


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_an_export_to_a_file_takes_no_more_memory(
    stage: Stage, shell: Shell, tmp_path: Path, form: str
) -> None:
    path = tmp_path / f"policy.{form}"

    assert growth(stage, lambda: shell("policy", "export", "--file", str(path), "--format", form)) < 60_000
    assert path.read_text().count("head-brewer") > MANY


def test_gains_of_very_many_are_listed_in_order_up_to_the_limit(stage: Stage) -> None:
    add_holders(stage, 250, "head-brewer")

    found = by_operator(stage, PLANS["a plan that changes the role of all"])()

    names = [each["user"]["username"] for each in found["gains"]]  # type: ignore[index]
    assert (len(names), names) == (10, sorted(names))
