"""Errors of activations."""

from __future__ import annotations

from rbac_api.errors import Forbidden, NotFound


class ActivationNotEligible(Forbidden):
    """Also for a role that does not exist."""

    code = "activation.not_eligible"
    title = "You cannot activate this role"
    default_detail = (
        "None of your current assignments lets you activate this role. GET /v1/me/activations lists the"
        " roles you can activate."
    )


class ActivationNotFound(NotFound):
    code = "activation.not_found"
    title = "The role is not active in this session"
    default_detail = "This role is not active in this session. GET /v1/me/activations shows which roles are."
