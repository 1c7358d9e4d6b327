"""Schemas of service accounts, for the OpenAPI document."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.web.fields import (
    ID,
    TEXT,
    Body,
    DomainName,
    Moment,
    NamedQuery,
    OptionalBody,
    Text,
    page_of,
)

STATUSES = ("active", "disabled")
_DESCRIPTION = {"description": "what it is for", "example": "Sends the invoices at night"}


class ClientSecretSchema(ma.Schema):
    """What is known about a secret; the secret itself is not stored."""

    id = fields.String(required=True, metadata=ID)
    created_at = fields.DateTime(required=True)
    expires_at = fields.DateTime(required=True)
    last_used_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "to the minute; null if never used"}
    )


class CreatedClientSecretSchema(ma.Schema):
    """A new secret, shown only here."""

    id = fields.String(required=True, metadata=ID)
    client_secret = fields.String(
        required=True,
        metadata={"description": "for `POST /oauth/token`, with the `client_id`", "example": "rbac-client-…"},
    )
    created_at = fields.DateTime(required=True)
    expires_at = fields.DateTime(required=True)


class ServiceAccountSchema(ma.Schema):
    """A program that signs in."""

    id = fields.String(required=True, metadata=ID)
    client_id = fields.String(required=True, metadata={**ID, "description": "for OAuth; the same as `id`"})
    name = fields.String(required=True, metadata={"example": "invoice-robot"})
    description = fields.String(required=True, allow_none=True, metadata=_DESCRIPTION)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES), metadata={"example": "active"})
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)
    home = fields.String(
        required=True,
        metadata={
            "description": "the domain whose administrators look after this account, and those above",
            "example": "acme",
        },
    )


class ServiceAccountDetailSchema(ServiceAccountSchema):
    """A program that signs in, and what is known about its secrets."""

    secrets = fields.List(
        fields.Nested(ClientSecretSchema),
        required=True,
        metadata={
            "description": "oldest first; expired ones are listed until withdrawn, withdrawn ones are not"
        },
    )


ServiceAccountListSchema = page_of("ServiceAccountListSchema", ServiceAccountSchema)


class ServiceAccountCreateSchema(Body):
    """A new service account. Roles and secrets are added afterwards, each as a resource of its own."""

    name = Text(
        required=True,
        shortest=2,
        longest=63,
        pattern=r"^[a-z][a-z0-9-]{1,62}$",
        error="Lower-case letters, digits and hyphens, a letter first, 2 to 63 characters.",
        metadata={
            "description": "unique among users as well, and never reused",
            "example": "invoice-robot",
        },
    )
    description = Text(longest=1000, pattern=TEXT, allow_none=True, metadata=_DESCRIPTION)
    home = DomainName(
        metadata={"description": "the account's home; the session's domain if omitted", "example": "acme"}
    )


class ServiceAccountPatchSchema(Body):
    """The fields of a service account that can change."""

    description = Text(longest=1000, pattern=TEXT, allow_none=True, metadata=_DESCRIPTION)
    status = fields.String(
        validate=validate.OneOf(STATUSES),
        metadata={"description": "`disabled` ends every session", "example": "active"},
    )
    home = DomainName(
        metadata={"description": "the account's new home; needs the permission there too", "example": "acme"}
    )


class ClientSecretCreateSchema(OptionalBody):
    """Until when the secret works."""

    expires_at = Moment(
        allow_none=True,
        metadata={
            "description": "null for the configured maximum, by default a year",
            "example": None,
        },
    )


class ServiceAccountQuery(NamedQuery):
    """Filters for service accounts."""

    status = fields.String(
        validate=validate.OneOf(STATUSES), metadata={"description": "status of the account"}
    )
    home = DomainName(metadata={"description": "only accounts at home at this very domain"})
