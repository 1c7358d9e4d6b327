"""Deciding by permission: what a verifier says, and what somebody on the line puts in place of the document of roles."""

from __future__ import annotations

from collections.abc import Callable

from rbac_verifier import Refused, Verifier, roles
from tests.patience import eventually
from tests.verifier.conftest import POLL, Field

READ, APPROVE = "invoices:read", "invoices:approve"


def code(verifier: Verifier, token: str, permission: str = READ) -> str:
    """``ok``, or the code it is refused with."""
    try:
        verifier.identify({"Authorization": f"Bearer {token}"}, permission=permission)
    except Refused as refused:
        return refused.code
    return "ok"


def becomes(verifier: Verifier, token: str, wanted: str, permission: str = READ) -> bool:
    return eventually(lambda: code(verifier, token, permission) == wanted, POLL / 2)


def put(field: Field, forge: Callable[[bytes], bytes]) -> None:
    field.line.change = lambda asked, body: forge(body) if asked == roles.PATH else body
