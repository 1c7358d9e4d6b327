"""The auditor's list is exactly the set of sessions that can still refresh, whatever happened before."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from time_machine import Traveller

from rbac_api.capabilities.sessions import filters as selection
from rbac_api.capabilities.sessions import service
from rbac_api.database.tables import sessions
from tests.builders import Caller, Stage
from tests.capabilities.signin.crowd import refresh
from tests.cast import ALICE, NEW_PASSWORD, PASSWORD

STEPS, LOOK_EVERY = 120, 8
OTHER = {PASSWORD: NEW_PASSWORD, NEW_PASSWORD: PASSWORD}


@dataclass
class Life:
    """One session: whose, and every pair of tokens it was given."""

    name: str
    pairs: list[dict[str, Any]]


@dataclass
class Play:
    """Bob, Carol and Dave living at random while the clock stands still unless somebody waits."""

    stage: Stage
    frozen: Traveller
    chance: random.Random
    passwords: dict[str, str] = field(
        default_factory=lambda: dict.fromkeys(("bob", "carol", "dave"), PASSWORD)
    )
    lives: dict[str, Life] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    def step(self) -> None:
        """One random thing happens."""
        own = [self.refresh, self.refresh, self.repeat, self.replay, self.sign_out, self.change_password]
        move = self.chance.choice(
            [*own, self.sign_in, self.sign_in, self.wait, self.wait, self.revoke, self.disable, self.end_all]
        )
        self.done.append(move.__name__)
        if move in own:
            if self.lives:
                move(self.chance.choice(list(self.lives.values())))
        else:
            move()

    def refresh(self, life: Life, age: int = 1) -> bool:
        answer = refresh(self.stage, life.pairs[-min(age, len(life.pairs))]["refresh_token"])
        if answer.status_code == 200:
            life.pairs.append(answer.json)
        return answer.status_code == 200

    def repeat(self, life: Life) -> None:
        self.refresh(life, 2)

    def replay(self, life: Life) -> None:
        self.refresh(life, self.chance.randint(2, 5))

    def sign_out(self, life: Life) -> None:
        self.caller(life).post("/v1/auth/logout")

    def change_password(self, life: Life) -> None:
        old = self.passwords[life.name]
        body = {"current_password": old, "new_password": OTHER[old]}
        if self.refresh(life) and self.caller(life).post("/v1/me/password", json=body).status_code == 204:
            self.passwords[life.name] = OTHER[old]

    def sign_in(self) -> None:
        name = self.chance.choice(list(self.passwords))
        tokens = self.stage.as_(name, self.passwords[name]).tokens
        self.lives[tokens["session_id"]] = Life(name, [tokens])

    def wait(self) -> None:
        self.frozen.shift(self.chance.choice([0.3, 1, 5, 11, 600, 1800, 3599.5]))

    def revoke(self) -> None:
        for session_id in self.chance.sample(list(self.lives), min(1, len(self.lives))):
            self.stage.as_(ALICE).delete(f"/v1/sessions/{session_id}")

    def disable(self) -> None:
        alice, address = (
            self.stage.as_(ALICE),
            f"/v1/users/{self.stage.user_id(self.chance.choice(['bob', 'dave']))}",
        )
        for status in ("disabled", "active"):
            assert alice.patch_now(address, {"status": status}).status_code == 200

    def end_all(self) -> None:
        self.stage.as_(ALICE).delete(
            f"/v1/users/{self.stage.user_id(self.chance.choice(['bob', 'dave']))}/sessions"
        )

    def caller(self, life: Life) -> Caller:
        found = self.stage.caller()
        found.tokens = life.pairs[-1]
        return found

    def listed(self) -> set[str]:
        """The sessions in the auditor's list; Alice's own are not part of the play."""
        items = self.stage.as_(ALICE).get("/v1/sessions?limit=200").json["items"]
        return {item["id"] for item in items if item["user"]["username"] != "alice"}

    def able(self) -> set[str]:
        """The sessions whose newest token still refreshes."""
        return {session_id for session_id, life in self.lives.items() if self.refresh(life)}


def lie(play: Play) -> tuple[list[str], set[str]] | None:
    """Play until the list differs from the truth: what was done until then, and the sessions about which it lies."""
    for number in range(STEPS):
        play.step()
        if number % LOOK_EVERY == 0 and (wrong := play.listed() ^ play.able()):
            return play.done, wrong
    return None


def test_the_list_is_the_set_of_sessions_that_can_refresh(stage: Stage, frozen: Traveller) -> None:
    play = Play(stage, frozen, random.Random(7))

    assert lie(play) is None
    assert len(play.lives) > 10
    ends = {reason for (reason,) in stage.query("SELECT DISTINCT end_reason FROM sessions")}
    assert ends >= {"logout", "admin", "user-disabled", "password-change", "reuse-detected", None}


def test_a_list_that_waits_for_a_sweeper_would_be_caught_lying(
    stage: Stage, frozen: Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "are_all_active", lambda _filters: False)  # that statement is prepared
    monkeypatch.setattr(selection, "is_active", lambda _now: sessions.c.ended_at.is_(None))

    assert lie(Play(stage, frozen, random.Random(0))) is not None
