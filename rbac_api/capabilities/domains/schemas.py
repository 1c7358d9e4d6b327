"""Schemas of domains, for the OpenAPI document."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields

from rbac_api.web.fields import TEXT, Body, DomainName, PageQuery, PermissionName, Text, Title, page_of

_TITLE = "Acme Europe"
_DESCRIPTION = {"example": "All subsidiaries in Europe"}


class DomainSchema(ma.Schema):
    """A place where roles count."""

    name = fields.String(
        required=True, metadata={"description": "the path from the root", "example": "acme.eu"}
    )
    parent = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "the domain that it is in; null for `root`", "example": "acme"},
    )
    title = fields.String(required=True, allow_none=True, metadata={"example": _TITLE})
    description = fields.String(required=True, metadata=_DESCRIPTION)
    created_at = fields.DateTime(required=True, allow_none=True, metadata={"description": "null for `root`"})


DomainListSchema = page_of("DomainListSchema", DomainSchema)


class DomainQuery(PageQuery):
    """Which domains to list."""

    under = DomainName(metadata={"description": "this domain and all that are in it"})


class DomainCreateSchema(Body):
    """A new domain; the one that it is in exists already."""

    name = DomainName(required=True, metadata={"example": "acme.eu"})
    title = Title(example=_TITLE)
    description = Text(longest=1000, pattern=TEXT, metadata=_DESCRIPTION)


class DomainPatchSchema(Body):
    """What to change. Omitted fields stay as they are."""

    title = Title(example=_TITLE)
    description = Text(longest=1000, pattern=TEXT, metadata=_DESCRIPTION)


class MyDomainsQuery(PageQuery):
    """What to be allowed to do."""

    permission = PermissionName(required=True, metadata={"description": "such as `invoices:approve`"})


class DomainNameSchema(ma.Schema):
    """A domain by its name."""

    name = fields.String(required=True, metadata={"example": "acme.eu"})


DomainNameListSchema = page_of("DomainNameListSchema", DomainNameSchema)
