"""Errors of operation."""

from __future__ import annotations

from rbac_api.errors import NotFound, Unavailable


class NotReady(Unavailable):
    code = "service.not_ready"
    title = "Not ready"
    default_detail = "Something that the service needs is wrong; 'checks' says what."
    example = {  # noqa: RUF012
        "ready": False,
        "checks": [{"name": "database", "ok": False, "detail": "The database cannot answer right now."}],
    }

    def __init__(self, found: dict[str, object]) -> None:
        super().__init__()
        self.members = found


class ProblemUnknown(NotFound):
    code = "problem.not_found"
    title = "No such problem code"
    default_detail = (
        "This service has no problem with this code. /openapi.json lists the codes of each operation."
    )
