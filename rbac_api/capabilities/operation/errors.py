"""What can go wrong with operation."""

from __future__ import annotations

from rbac_api.errors import NotFound


class ProblemUnknown(NotFound):
    code = "problem.not_found"
    title = "No such problem code"
    default_detail = (
        "This service has no problem of this code. The OpenAPI document lists those of each operation."
    )
