"""Types of answers about roles."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from rbac_api.formats.paging import NamedFilters


class RoleAnswer(TypedDict):
    """A role, with its direct and its effective permissions."""

    name: str
    title: str | None
    description: str
    home: str
    system: bool
    requires_mfa: bool
    permissions: list[str]
    inherits: list[str]
    effective_permissions: list[str]
    created_at: datetime
    updated_at: datetime


class RoleFilters(NamedFilters, total=False):
    """Which roles to list."""

    permission: str | None
    effective: bool | None
