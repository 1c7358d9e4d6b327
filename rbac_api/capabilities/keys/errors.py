"""What can go wrong with keys."""

from __future__ import annotations

from rbac_api.errors import Conflict, NotFound


class KeyNotFound(NotFound):
    code = "key.not_found"
    title = "No such key"
    default_detail = "There is no key of this name. List them with GET /v1/keys."


class KeyActive(Conflict):
    """Withdrawing it would leave nothing to sign with."""

    code = "key.active"
    title = "The key signs"
    default_detail = "This key signs now. Let another take over with POST /v1/keys/rotate, then withdraw it."


class KeyExternal(Conflict):
    """The key is not kept by this service, so it cannot be changed through it."""

    code = "key.external"
    title = "The key comes from the settings"
    default_detail = "The signing key comes from RBAC_SIGNING_KEY, or with HS256 from RBAC_SECRET_KEY, and only there can it be replaced."
