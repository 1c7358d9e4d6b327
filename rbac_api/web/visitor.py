"""What a client says of itself, made fit to be kept and shown."""

from __future__ import annotations

from flask import Request

LONGEST_AGENT = 256


def user_agent(asked: Request) -> str | None:
    """Its ``User-Agent``, without what does not print; None if it sends none."""
    agent = asked.headers.get("User-Agent")
    return "".join(c for c in agent if c.isprintable())[:LONGEST_AGENT] if agent else None
