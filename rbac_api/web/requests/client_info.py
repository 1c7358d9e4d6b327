"""What a client says of itself."""

from __future__ import annotations

from flask import Request

from rbac_api.formats.client_info import printable_agent


def user_agent(asked: Request) -> str | None:
    """Its ``User-Agent``, without what does not print; None if it sends none."""
    return printable_agent(asked.headers.get("User-Agent"))
