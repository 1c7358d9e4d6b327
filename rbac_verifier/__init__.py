"""Verifies access tokens of rbac-api in other services, without a request to it, and follows what is revoked (docs/verifier.md).

    verifier = Verifier("https://rbac.example", "rbac-api")

    try:
        identity = verifier.identify(request.headers, role="clerk")
    except Refused as refused:
        answer = verifier.answer_to(refused)  # status, headers, body

``verifier`` needs no framework; ``flask`` makes decorators of it, ``asgi`` dependencies for FastAPI and Starlette.  ``jws`` reads signed
texts strictly and verifies them, ``keys`` holds the service's public keys, ``revoked`` follows its feed of revocations through ``fetch``,
``problems`` are the answers.

It needs no database and no secret, only PyJWT, and imports nothing of the service, whose guard reads its tokens with the same ``jws``.
"""

from rbac_verifier.problems import Answer, Refused
from rbac_verifier.verifier import Identity, Verifier

__all__ = ["Answer", "Identity", "Refused", "Verifier"]
