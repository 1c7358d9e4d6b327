"""What is known of a client: what it says of itself, made fit to be kept and shown, and where it comes from."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address

LONGEST_AGENT = 256
SITE = 64  # bits


def printable_agent(sent: str | None) -> str | None:
    """A ``User-Agent`` without what does not print; None if none was sent."""
    return "".join(c for c in sent if c.isprintable())[:LONGEST_AGENT] if sent else None


def network_of(address: str | None, prefix: int = SITE) -> str | None:
    """What counts as one visitor: an IPv4 address, or the IPv6 network that one subscriber has at least (RFC 6177), where a single
    host may use a new address for each connection (RFC 8981).  An IPv4 address inside IPv6 is that IPv4 address."""
    try:
        found = ip_address(address or "")
    except ValueError:  # a socket's path, or nothing
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found), prefix), strict=False))
