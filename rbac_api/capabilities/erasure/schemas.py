"""Schemas of erasure, for the OpenAPI document."""

from __future__ import annotations

from rbac_api.web.fields import TEXT, Body, Text


class ErasureSchema(Body):
    """Why the personal data of a user is erased."""

    reason = Text(
        required=True,
        longest=1000,
        shortest=1,
        pattern=TEXT,
        metadata={
            "description": "stays in the audit trail; do not name the user in it",
            "example": "Request under GDPR article 17, ticket 4711",
        },
    )
