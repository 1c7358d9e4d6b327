"""Describes a client by its user agent, made safe to store and show, and by its network."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address

MAX_USER_AGENT_LENGTH = 256
SITE = 64  # bits


def user_agent(sent: str | None) -> str | None:
    """Return a ``User-Agent`` without unprintable characters; None if none was sent."""
    return "".join(c for c in sent if c.isprintable())[:MAX_USER_AGENT_LENGTH] if sent else None


def network_of(address: str | None, prefix: int = SITE) -> str | None:
    """Return what counts as one client: an IPv4 address, or an IPv6 network.

    A subscriber has at least a /64 (RFC 6177), and one host may use a new address for each connection (RFC
    8981). An IPv4 address inside IPv6 counts as that IPv4 address.
    """
    try:
        found = ip_address(address or "")
    except ValueError:  # a socket's path, or nothing
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found), prefix), strict=False))
