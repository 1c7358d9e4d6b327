"""What a token says, and what a new one is to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from rbac_api.decision.model import ROOT
from rbac_api.guard.tokens.signing import SigningKey


@dataclass(frozen=True, slots=True)
class Token:
    """A verified token's claims (RFC 9068 section 2.2), and the key that verified it."""

    subject: str
    session_id: str
    jti: str
    client_id: str
    expires: int
    roles: tuple[str, ...]
    kid: str
    algorithm: str


@dataclass(frozen=True, slots=True)
class Issue:
    """What to put into a new token, and the key to sign it with if it is chosen already; moments are whole
    seconds since 1970."""

    subject: str
    session_id: str
    jti: str
    client_id: str
    issued: int
    expires: int
    auth_time: int
    amr: tuple[str, ...] = ()
    key: SigningKey | None = None


@dataclass(frozen=True, slots=True)
class Authority:
    """What an access token says that its user may do: the role names, how many more there are that did not
    fit, and the authorization version.

    The roles count at the ``domain`` and below.  ``held_below``: in domains below more may count;
    ``loses_below``: or less, by a dynamic constraint.
    """

    roles: tuple[str, ...]
    version: int
    omitted: int = 0
    domain: str = ROOT
    held_below: bool = False
    loses_below: bool = False


class TokenIssuer(Protocol):
    """Makes and verifies tokens, see ``jwt.Bearer``."""

    def issue_access(self, issue: Issue, authority: Authority) -> str: ...

    def issue_refresh(self, issue: Issue, generation: int) -> str: ...

    def claims(self, text: str) -> dict[str, Any]: ...

    def verify_token(self, text: str, kind: str, *, late: bool = False) -> Token: ...
