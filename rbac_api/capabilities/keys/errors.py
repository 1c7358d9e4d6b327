"""Errors of keys."""

from __future__ import annotations

from rbac_api.errors import Conflict, NotFound


class KeyNotFound(NotFound):
    code = "key.not_found"
    title = "No such key"
    default_detail = "There is no key with this kid. List them with GET /v1/keys."


class KeyActive(Conflict):
    """Withdrawing it would leave nothing to sign with."""

    code = "key.active"
    title = "The key is the active signing key"
    default_detail = (
        'This key signs new tokens. Rotate first with POST /v1/keys/rotate and {"emergency": true}, then '
        "withdraw it."
    )


class KeyExternal(Conflict):
    """The key is not stored by this service, so it cannot be changed through it."""

    code = "key.external"
    title = "The key comes from the settings"
    default_detail = (
        "The signing key is configured with RBAC_SIGNING_KEY (or RBAC_SECRET_KEY for HS256). Replace it "
        "there and restart."
    )
