"""No history of allowed calls gives an account more than its giver held there, or shows an account to a user who may not read it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import true

from rbac_api.capabilities.service_accounts import service as service_accounts
from rbac_api.capabilities.users import listing, setup_tokens
from rbac_api.guard.enforcement.authority import Authority
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.state.subjects import Person
from tests.builders import Stage
from tests.guard.plays import history
from tests.sizes import sized

pytestmark = pytest.mark.large
HISTORIES, LENGTH, PATIENCE = sized(6, 1_000), 50, 60


@pytest.mark.soak
def test_no_history_gives_or_shows_more_than_its_actors_have(stage: Stage) -> None:
    assert [wrong for seed in range(HISTORIES) for wrong in history(stage, seed, LENGTH)] == []


def anything_is_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Authority, "require_held", lambda *_: None)


def a_neighbour_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held at any domain is held at each."""

    def along(self: Person, _: str) -> tuple[Person, ...]:
        return self, *map(self.at, sorted({one.domain for one in self.subject.elsewhere}))

    monkeypatch.setattr(Person, "along", along)


def strength_is_compared_at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Clearance.require_outranks_at
    monkeypatch.setattr(
        Clearance,
        "require_outranks_at",
        lambda self, held, *more: asked(self, {"root": held.get("root", frozenset())}, *more),
    )


def credentials_are_not_outgrown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup_tokens, "is_outgrown", lambda *_: False)


def homes_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def over(self: Authority, home: str, *_: object) -> Authority:
        self.work.undecided = False
        return self._replace(domain=home)

    monkeypatch.setattr(Authority, "over", over)


def lists_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (listing, service_accounts):
        monkeypatch.setattr(module, "at_home", lambda *_: true())


def makers_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Clearance, "nameable", lambda _, accounts, *__: frozenset(accounts))


@pytest.mark.parametrize(
    "twin",
    [
        anything_is_handed_out,
        a_neighbour_counts,
        strength_is_compared_at_root,
        credentials_are_not_outgrown,
        homes_are_not_asked,
        lists_are_whole,
        makers_are_named,
    ],
    ids=lambda one: one.__name__,
)
def test_a_guard_that_is_missing_is_caught(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, twin: Callable[[pytest.MonkeyPatch], None]
) -> None:
    twin(monkeypatch)
    assert any(history(stage, seed, LENGTH) for seed in range(PATIENCE))
