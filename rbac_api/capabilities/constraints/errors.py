"""Errors of constraints."""

from __future__ import annotations

from rbac_api.errors import Conflict, NotFound


class ConstraintViolated(Conflict):
    """``constraint`` names the first one; ``violations`` lists who would violate which, at most 50 of
    ``count``."""

    code = "constraint.violated"
    title = "A constraint forbids this combination of roles"
    default_detail = (
        "After this change, a user would violate a constraint; 'violations' lists who and which roles."
    )
    recorded = True
    example = {  # noqa: RUF012
        "constraint": "buy-or-pay",
        "count": 1,
        "violations": [
            {
                "constraint": "buy-or-pay",
                "user": {"id": "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57", "username": "jonas"},
                "roles": ["buyer", "treasurer"],
                "from": "2026-11-23T08:00:00.000Z",
                "until": None,
            }
        ],
    }


class ConstraintNameTaken(Conflict):
    code = "constraint.name_taken"
    title = "The constraint already exists"
    default_detail = (
        "A constraint with this name, or one that differs from it only by case, already exists. Choose "
        "another name."
    )


class ConstraintNotFound(NotFound):
    code = "constraint.not_found"
    title = "No such constraint"
    default_detail = "There is no constraint with this name. List them with GET /v1/constraints."
