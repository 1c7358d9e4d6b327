"""Making and listing signing keys."""

from __future__ import annotations

from typing import Any

import orjson

from rbac_api import clock
from rbac_api.capabilities.keys import queries
from rbac_api.guard.clearance import Clearance
from rbac_api.guard.keyring import PURPOSE, generate_pem, key_from_pem
from rbac_api.sealing import seal
from rbac_api.trail.recorder import Target


def ensure_key(clearance: Clearance) -> bool:
    """Make a key of the configured algorithm unless there is one or none is needed; whether one was made."""
    settings = clearance.settings
    if settings.signing_algorithm == "HS256" or settings.signing_key:
        return False
    if any(row.algorithm == settings.signing_algorithm for row in queries.list_keys(clearance.connection)):
        return False
    pem = generate_pem(settings.signing_algorithm)
    key = key_from_pem(pem, settings.signing_algorithm)
    row = {
        "kid": key.kid, "algorithm": key.algorithm, "public_jwk": orjson.dumps(key.jwk).decode(),
        "private_sealed": seal(settings.secret_key, PURPOSE, pem), "created_at": clock.now(),
    }  # fmt: skip
    queries.add_key(clearance.connection, row)
    clearance.record(
        "key.created", Target("key", key.kid, key.kid), after={"kid": key.kid, "algorithm": key.algorithm}
    )
    return True


def list_keys(clearance: Clearance) -> list[dict[str, Any]]:
    """Every key that verifies, without its private part: where it is kept, since when, and whether it is the one that signs."""
    made = {row.kid: row.created_at for row in queries.list_keys(clearance.connection)}
    found = list(clearance.snapshot.keyring.keys().values())
    signing = [key.kid for key in found if key.algorithm == clearance.settings.signing_algorithm][-1:]
    return [
        {
            "kid": key.kid,
            "algorithm": key.algorithm,
            "signs": key.kid in signing,
            "kept_in": "database" if key.kid in made else "settings",
            "created_at": made.get(key.kid),
        }
        for key in found
    ]
