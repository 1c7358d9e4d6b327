"""What can go wrong with explanations."""

from __future__ import annotations

from rbac_api.errors import NotFound


class DecisionNotFound(NotFound):
    """Unknown, or somebody else's refusal, asked for by somebody who may not read the trail: one answer."""

    code = "decision.not_found"
    title = "No such decision"
    default_detail = "There is no decision with this id that you may read. Use the decision_id of one of your own 403 responses."
