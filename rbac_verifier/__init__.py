"""Verifies access tokens of rbac-api in other services, and follows its revocations (docs/verifier.md).

    verifier = Verifier("https://rbac.example", "rbac-api")

    try:
        identity = verifier.identify(request.headers, permission="orders:read")
    except Refused as refused:
        answer = verifier.answer_to(refused)  # status, headers, body

``verifier`` needs no framework. ``flask`` makes decorators of it, ``asgi`` dependencies for FastAPI and
Starlette. ``jws`` reads and verifies signed texts. ``keys`` holds the service's public keys. ``revoked``
follows the revocation feed, and ``roles`` what each role permits, through ``fetch``. ``identity`` says what a
token allows where, and ``evaluation`` asks the service where it does not say enough. ``names`` has the forms
of names. ``headers`` reads requests. ``problems`` has the answers to refused
callers. ``encodings`` reads hexadecimal and Base64 in one spelling.

``audit`` is the command that verifies an export of the audit trail against a checkpoint. ``events`` has the
chain of hashes, ``merkle`` the tree (RFC 9162), ``notes`` the signed checkpoints (C2SP). The service uses the
same functions.

A verification needs no request to the service, no database and no secret, only PyJWT. The package imports
nothing of the service. The service's guard reads its tokens with the same ``jws``.
"""

from rbac_verifier.identity import Identity
from rbac_verifier.problems import Answer, Refused
from rbac_verifier.verifier import Verifier

__all__ = ["Answer", "Identity", "Refused", "Verifier"]
