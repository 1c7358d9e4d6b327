"""Types of what is asked about service accounts."""

from __future__ import annotations

from rbac_api.formats.paging import NamedFilters


class ServiceAccountFilters(NamedFilters, total=False):
    """Which service accounts to list."""

    status: str | None
    home: str | None
