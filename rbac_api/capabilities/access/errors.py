"""Errors of explanations."""

from __future__ import annotations

from rbac_api.errors import NotFound


class DecisionNotFound(NotFound):
    """One answer for an unknown decision and for another user's, if the caller may not read the trail."""

    code = "decision.not_found"
    title = "No such decision"
    default_detail = (
        "There is no decision with this id that you may read. Use the decision_id of one of your own 403 "
        "responses."
    )
