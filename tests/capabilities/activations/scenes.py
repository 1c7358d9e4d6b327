"""What these tests begin with: roles worth having, given on terms, and sessions that differ."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from rbac_api import clock
from tests.builders import Caller, Stage
from tests.cast import PASSWORD


def after(seconds: float) -> str:
    """A moment so many seconds from now, as the API takes it."""
    return clock.rfc3339(clock.now() + timedelta(seconds=seconds))


def make_role(alice: Caller, name: str, *permissions: str, inherits: str | None = None) -> None:
    """A role that holds these permissions."""
    assert alice.post("/v1/roles", json={"name": name}).status_code == 201
    for permission in permissions:
        assert alice.put(f"/v1/roles/{name}/permissions/{permission}").status_code == 201
    if inherits:
        assert alice.put(f"/v1/roles/{name}/inherits/{inherits}").status_code == 201


def give(alice: Caller, person: Any, role: str, **terms: Any) -> Any:
    """Give a role on terms; the answer."""
    return alice.put(f"/v1/users/{alice.stage.user_id(person)}/roles/{role}", json=terms)


def take(alice: Caller, person: Any, role: str) -> Any:
    """Take it away; the answer."""
    return alice.delete(f"/v1/users/{alice.stage.user_id(person)}/roles/{role}")


def activate(caller: Caller, role: str, seconds: int = 600) -> Any:
    """Make a role active in the caller's session; the answer."""
    return caller.put(f"/v1/me/activations/{role}", json={"duration": seconds, "reason": "Month-end"})


def drop(caller: Caller, role: str) -> Any:
    """Drop it from the session; the answer."""
    return caller.delete(f"/v1/me/activations/{role}")


def try_with(stage: Stage, person: Any, roles: list[str], password: str = PASSWORD, **more: Any) -> Any:
    """Try to begin a session with these roles; the answer."""
    body = {"username": person.username, "password": password, "roles": roles, **more}
    return stage.caller().post("/v1/auth/login", json=body)


def begin_with(stage: Stage, person: Any, *roles: str) -> Caller:
    """Somebody in a session begun with these roles alone."""
    answer = try_with(stage, person, list(roles))
    assert answer.status_code == 200, answer.json
    caller = stage.caller()
    caller.tokens = answer.json
    return caller


def at(node: Stage, caller: Caller) -> Caller:
    """The same person with the same tokens, speaking to another node."""
    found = node.caller()
    found.tokens = caller.tokens
    return found


def told(stage: Stage, action: str) -> tuple[Any, Any]:
    """What the latest event of this action says: before and after."""
    event = stage.events(action)[-1]
    return tuple(event[name] and json.loads(event[name]) for name in ("before", "after"))  # type: ignore[return-value]
