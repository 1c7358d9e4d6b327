"""Many people at once, and what they do with refresh tokens."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from werkzeug.test import TestResponse

from tests.builders import Stage
from tests.patience import PATIENCE

T = TypeVar("T")


def together(count: int, work: Callable[[int], T]) -> list[T]:
    """``work(0)`` … ``work(count - 1)``, each in a thread of its own, none before all are ready."""
    ready = threading.Barrier(count)

    def begin(number: int) -> T:
        ready.wait(PATIENCE)
        return work(number)

    with ThreadPoolExecutor(count) as crowd:
        return list(crowd.map(begin, range(count)))


def refresh(stage: Stage, token: str) -> TestResponse:
    """Present a refresh token, as somebody who has nothing else."""
    return stage.caller().post("/v1/auth/refresh", json={"refresh_token": token})


def claims(token: str) -> dict[str, Any]:
    """What a token says, unverified."""
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def answers_to(stage: Stage, tokens: dict[str, Any]) -> tuple[int, int]:
    """The statuses that a pair of tokens gets: the access token at ``/v1/me``, the refresh token at refreshing."""
    caller = stage.caller()
    caller.tokens = tokens
    return caller.get("/v1/me").status_code, refresh(stage, tokens["refresh_token"]).status_code


def lineage(stage: Stage, session_id: str) -> list[tuple[int, bool]]:
    """(generation, spent) of every refresh token of a session, oldest first."""
    rows = stage.query(
        "SELECT generation, spent_at FROM refresh_tokens WHERE session_id = ? ORDER BY generation",
        session_id if stage.engine == "postgresql" else session_id.replace("-", ""),
    )
    return [(generation, spent is not None) for generation, spent in rows]


def end_of(stage: Stage, session_id: str) -> str | None:
    """Why a session ended, as its row has it; None while it goes on."""
    key = session_id if stage.engine == "postgresql" else session_id.replace("-", "")
    found: str | None = stage.query("SELECT end_reason FROM sessions WHERE id = ?", key)[0][0]
    return found
