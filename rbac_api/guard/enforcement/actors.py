"""Who makes a request, as the audit trail names it."""

from __future__ import annotations

from typing import Literal

from flask import Request

from rbac_api.guard.state.subjects import Person
from rbac_api.guard.tokens.token import Token
from rbac_api.observability.request_id import REQUEST_ID, request_id
from rbac_api.trail.recorder import Actor


def actor_of(token: Token, person: Person, asked: Request) -> Actor:
    """The account whose token this request presents."""
    name, agent = asked.environ.get(REQUEST_ID), asked.environ.get("HTTP_USER_AGENT")
    kind: Literal["user", "service"] = "service" if person.kind == "service" else "user"
    return Actor(kind, token.subject, person.username, token.session_id, asked.remote_addr, name, agent)


def stranger(asked: Request) -> Actor:
    """The caller of this request, as long as it is not known who that is."""
    agent = asked.environ.get("HTTP_USER_AGENT")
    return Actor("anonymous", ip=asked.remote_addr, request_id=request_id() or None, user_agent=agent)
