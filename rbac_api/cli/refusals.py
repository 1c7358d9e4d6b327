"""A refusal in words for the operator's terminal."""

from __future__ import annotations

from rbac_api.database.constraints import DatabaseDown
from rbac_api.errors import Invalid, ServiceError, listed


def explained(fault: ServiceError) -> str:
    """What was refused and what to do.  The operator owns the machine, so the database's own words may be shown."""
    if isinstance(fault, Invalid) and fault.faults:
        return "\n".join(listed([each.detail for each in fault.faults], fault.total))
    if isinstance(fault, DatabaseDown):
        return (
            f"The database does not answer; nothing was changed. It says: {one_line(fault.internal)}."
            " Check RBAC_DATABASE_URL and that the server runs, then run `rbac-api doctor` to check everything."
        )
    return fault.detail


def one_line(text: object) -> str:
    """A message of several lines as one, without its full stop."""
    return " ".join(str(text).split()).rstrip(".")
