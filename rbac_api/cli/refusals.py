"""Explains errors at the operator's terminal."""

from __future__ import annotations

from rbac_api.database.constraints import DatabaseDown
from rbac_api.errors import Invalid, ServiceError, listed


def explained(fault: ServiceError) -> str:
    """Return what was refused and what to do. The operator may see the database's own message."""
    if isinstance(fault, Invalid) and fault.faults:
        return "\n".join(listed([each.detail for each in fault.faults], fault.total))
    if isinstance(fault, DatabaseDown):
        return (
            f"The database does not answer; nothing was changed. It says: {one_line(fault.internal)}."
            " Check RBAC_DATABASE_URL and that the server runs, then run `rbac-api doctor` to check "
            "everything."
        )
    return fault.detail


def one_line(text: object) -> str:
    """Return a message of several lines as one line, without its full stop."""
    return " ".join(str(text).split()).rstrip(".")
