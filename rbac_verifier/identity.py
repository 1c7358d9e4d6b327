"""The caller as a verified token describes it, and what the token settles without the service."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rbac_verifier import problems
from rbac_verifier.names import ROOT, is_domain, is_in

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TEXTS = ("iss", "sub", "client_id", "jti", "sid", "type")
_NUMBERS = ("iat", "nbf", "exp", "auth_time", "av")
_FLAGS = ("domains_held", "domains_differ")
REQUIRED = [*_TEXTS, *_NUMBERS, "aud", "roles"]


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller, as a verified token describes it.

    ``roles`` are role names, those at the time of issue or later.  ``roles_omitted``: how many more the
    caller has, which did not fit into the token.

    The roles count at ``domain`` and below.  ``domains_held``: in domains below, more may count;
    ``domains_differ``: or less.
    """

    user_id: str
    session_id: str
    client_id: str
    roles: frozenset[str]
    claims: dict[str, Any]
    roles_omitted: int = 0
    domain: str = ROOT
    domains_held: bool = False
    domains_differ: bool = False


def identity_of(claims: dict[str, Any]) -> Identity:
    """Return the holder of a token with these claims."""
    return Identity(
        claims["sub"],
        claims["sid"],
        claims["client_id"],
        frozenset(claims["roles"]),
        claims,
        claims.get("roles_omitted", 0),
        claims.get("domain", ROOT),
        *(name in claims for name in _FLAGS),
    )


def placed(needed: dict[str, Any], domain: str) -> dict[str, Any]:
    """Return what is needed, with where."""
    return needed if domain == ROOT else {**needed, "domain": domain}


def inside(identity: Identity, domain: str | None, needed: dict[str, Any]) -> str:
    """Return the domain if the session of the token acts there; ``Refused`` otherwise."""
    if not is_domain(domain) or domain is None:
        raise problems.lacking(needed)
    if not is_in(domain, identity.domain):
        raise problems.outside({**needed, "domain": domain}, identity.domain)
    return domain


def settles(identity: Identity, domain: str, *, named: bool, needed: dict[str, Any]) -> bool:
    """Return True if the token allows it (what it names suffices), False if it does not say.

    ``Refused`` if it says that it is not allowed.
    """
    below = domain != identity.domain
    if named and not (below and identity.domains_differ):
        return True
    if not (identity.roles_omitted or (below and (identity.domains_held or identity.domains_differ))):
        raise problems.lacking(placed(needed, domain))
    return False


def fits(claims: dict[str, Any]) -> bool:
    """Return True if the claims have the form that the service gives them."""
    roles, omitted = claims["roles"], claims.get("roles_omitted", 0)
    return (
        claims["type"] == "access"
        and all(isinstance(claims[name], str) and claims[name] for name in _TEXTS)
        and all(_ID.fullmatch(claims[name]) for name in ("sub", "jti", "sid"))
        and all(type(claims[name]) is int and 0 <= claims[name] < 1 << 40 for name in _NUMBERS)
        and isinstance(roles, list)
        and all(isinstance(role, str) for role in roles)
        and type(omitted) is int
        and 0 <= omitted < 1 << 40
        and is_domain(claims.get("domain", ROOT))
        and all(claims.get(name, True) is True for name in _FLAGS)
    )
