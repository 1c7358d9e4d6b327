"""What can go wrong with making roles active."""

from __future__ import annotations

from rbac_api.errors import Forbidden, NotFound


class ActivationNotEligible(Forbidden):
    """Also for a role that does not exist."""

    code = "activation.not_eligible"
    title = "You cannot make this role active"
    default_detail = (
        "No assignment of yours lets you make this role active at this moment. See GET /v1/me/activations."
    )


class ActivationNotFound(NotFound):
    code = "activation.not_found"
    title = "The role is not active in this session"
    default_detail = "This role is not active in this session. See GET /v1/me/activations."
