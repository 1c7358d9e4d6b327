"""For other services: verifies access tokens without a request to this one, and follows what is revoked (docs/verifier.md).

    verifier = Verifier("https://rbac.example", "rbac-api")

    @app.get("/orders")
    @verifier.requires_role("clerk")
    def orders():
        return {"for": current_identity().user_id}

``jose`` takes signed texts apart and verifies them, ``keys`` holds the service's public keys, ``revoked`` follows its feed of revocations,
``verifier`` puts them together, ``problems`` are the answers.

It needs no database and no secret, only Flask and PyJWT.  Refuses to import any room of this service (``clock`` apart); no room imports it.
"""

from rbac_api.verifier.problems import Refused
from rbac_api.verifier.verifier import Identity, Verifier, current_identity

__all__ = ["Identity", "Refused", "Verifier", "current_identity"]
