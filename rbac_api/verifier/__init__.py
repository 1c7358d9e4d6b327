"""The verifier for other services, under the name it has where the service is installed; it is a distribution of its own.

``Verifier`` is the one for Flask.  See ``rbac_verifier``, which needs nothing of this service, and docs/verifier.md.
"""

from rbac_verifier.flask import FlaskVerifier as Verifier
from rbac_verifier.flask import current_identity
from rbac_verifier.identity import Identity
from rbac_verifier.problems import Refused

__all__ = ["Identity", "Refused", "Verifier", "current_identity"]
