"""Reads the user agent of a client."""

from __future__ import annotations

from flask import Request

from rbac_api.formats.client_info import printable_agent


def user_agent(asked: Request) -> str | None:
    """Return the ``User-Agent`` without unprintable characters; None if the client sends none."""
    return printable_agent(asked.headers.get("User-Agent"))
