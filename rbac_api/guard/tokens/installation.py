"""Checks what all nodes of an installation must agree on: issuer, audience and the instance secret.

With another issuer or audience a node refuses the other nodes' tokens; with another secret it can open
nothing. The first node records them (of the secret, a digest that reveals nothing about it), and each node
compares its own with that record.
"""

from __future__ import annotations

from sqlalchemy import Connection

from rbac_api.guard.tokens.queries_installation import read_instance, write_instance
from rbac_api.sealing import derived_key
from rbac_api.settings import Settings

INSTANCE_KEY = "RBAC_SECRET_KEY"
REMEDY = (
    "Give every node the same RBAC_ISSUER, RBAC_AUDIENCE and RBAC_SECRET_KEY. To change the issuer or the"
    " audience on purpose, run `rbac-api adopt-issuer` with the new ones and restart all nodes. The secret"
    " cannot be changed: restore the original."
)


def present(settings: Settings) -> dict[str, str]:
    """Return these values from this node's settings."""
    digest = derived_key(settings.secret_key, "fingerprint").hex()
    return {"RBAC_ISSUER": settings.issuer_url, "RBAC_AUDIENCE": settings.audience, INSTANCE_KEY: digest}


def record_instance(connection: Connection, settings: Settings) -> None:
    """Record the values of this node, in place of what is there."""
    write_instance(connection, present(settings))


def differences(connection: Connection, settings: Settings) -> dict[str, str]:
    """Return how this node differs from the others: a sentence for each setting."""
    theirs, found = read_instance(connection), {}
    if not theirs:
        return {"RBAC_ISSUER": "nothing was recorded yet that nodes agree on: run `rbac-api init`"}
    for name, value in present(settings).items():
        if theirs.get(name) != value and name == INSTANCE_KEY:
            found[name] = f"{name} is not the one that this database was created with"
        elif theirs.get(name) != value:
            found[name] = f"{name} is {value} on this node, and {theirs.get(name)} on the others"
    return found
