"""Rounds of revoke-here-then-call-there, and how many calls were still accepted.

Each round a victim has just been served *there* (so that worker remembers her), something is taken from her *here*,
and the moment the answer has come two calls of hers go out there, on connections of their own. One 200 is a breach.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.calls import Answer, Line, ask, call, hear
from tests.faults.minting import PERMISSION, ROLE, Mint, Pass

ERRAND = "/v1/roles?limit=1"  # needs roles:read


@dataclass(frozen=True)
class Kind:
    """A way of taking something away: how, what the next call must answer, and how to give it back."""

    take: Callable[[Line, str, Pass], Answer]
    refused: int
    give: Callable[[Line, str, Pass], Answer] | None = None


def _revoke(line: Line, admin: str, victim: Pass) -> Answer:
    return call(line, "DELETE", f"/v1/sessions/{victim.session_id}", admin)


def _revoke_all(line: Line, admin: str, victim: Pass) -> Answer:
    return call(line, "DELETE", f"/v1/users/{victim.user_id}/sessions", admin)


def _log_out(line: Line, _admin: str, victim: Pass) -> Answer:
    return call(line, "POST", "/v1/auth/logout", victim.access)


def _disable(line: Line, admin: str, victim: Pass) -> Answer:
    path = f"/v1/users/{victim.user_id}"
    tag = call(line, "GET", path, admin).headers["ETag"]
    return call(line, "PATCH", path, admin, {"status": "disabled"}, If_Match=tag)


def _reset_password(line: Line, admin: str, victim: Pass) -> Answer:
    return call(line, "POST", f"/v1/users/{victim.user_id}/password-reset", admin)


def _end_assignment(line: Line, admin: str, victim: Pass) -> Answer:
    return call(line, "DELETE", f"/v1/users/{victim.user_id}/roles/{ROLE}", admin)


def _assign(line: Line, admin: str, victim: Pass) -> Answer:
    return call(line, "PUT", f"/v1/users/{victim.user_id}/roles/{ROLE}", admin)


def _withdraw(line: Line, admin: str, _victim: Pass) -> Answer:
    return call(line, "DELETE", f"/v1/roles/{ROLE}/permissions/{PERMISSION}", admin)


def _grant(line: Line, admin: str, _victim: Pass) -> Answer:
    return call(line, "PUT", f"/v1/roles/{ROLE}/permissions/{PERMISSION}", admin)


KINDS = {
    "session revoked": Kind(_revoke, 401),
    "all sessions revoked": Kind(_revoke_all, 401),
    "signed out": Kind(_log_out, 401),
    "user disabled": Kind(_disable, 401),
    "password reset": Kind(_reset_password, 401),
    "role taken away": Kind(_end_assignment, 403, _assign),
    "permission withdrawn": Kind(_withdraw, 403, _grant),
}
FATAL = (
    "user disabled",
    "password reset",
    "all sessions revoked",
)  # end more than one session: a new victim each time


class Contest:
    """An administrator, and enough victims for so many rounds of each kind, all made beforehand."""

    def __init__(self, mint: Mint, rounds: dict[str, int]) -> None:
        self.admin = mint.passes([mint.user_id("admin")])[0].access
        self.victims = {kind: _victims(mint, kind, number) for kind, number in rounds.items()}

    def breaches(self, doors: list[list[Line]]) -> list[str]:
        """Play all rounds, from one door to the other and back in turn; what was accepted that must not be."""
        found = []
        for kind, victims in self.victims.items():
            for number, victim in enumerate(victims):
                here, there = doors if number % 2 else reversed(doors)
                after = self._play(KINDS[kind], here, there, victim)
                if any(status != KINDS[kind].refused for status in after):
                    found.append(f"{kind}, round {number}: {after}")
        return found

    def _play(self, kind: Kind, here: list[Line], there: list[Line], victim: Pass) -> list[int]:
        before = call(there[0], "GET", ERRAND, victim.access)
        assert before.status == 200, before.body
        taken = kind.take(here[0], self.admin, victim)
        for line in there:
            ask(line, "GET", ERRAND, victim.access)
        after = [hear(line).status for line in there]
        assert taken.status in (200, 201, 204), taken.body
        if kind.give is not None:
            given = kind.give(here[0], self.admin, victim)
            assert given.status in (200, 201, 204), given.body
        return after


def _victims(mint: Mint, kind: str, rounds: int) -> list[Pass]:
    if KINDS[kind].give is not None:
        return mint.passes(mint.people([kind.replace(" ", "-")])) * rounds
    if kind in FATAL:
        return mint.passes(mint.people([f"{kind} {number}".replace(" ", "-") for number in range(rounds)]))
    return mint.passes(mint.people([kind.replace(" ", "-")]) * rounds)
