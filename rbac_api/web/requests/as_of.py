"""Reads ``?at=``, the past time as of which a resource is read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rbac_api.errors import Invalid
from rbac_api.formats.as_of import future
from rbac_api.web.fields import Body, Moment, PageQuery

AS_OF = {"description": "as of this past time; default: now"}


class AtQuery(Body):
    """The argument ``at``."""

    at = Moment(metadata=AS_OF)


class PastPageQuery(PageQuery, AtQuery):
    """Paging arguments, and the argument ``at``."""


def past_moment(query: Mapping[str, object], name: str = "at") -> datetime | None:
    """Return the requested time; None for now. 422 ``at.future`` for a time in the future."""
    moment = query.get(name)
    if not isinstance(moment, datetime):
        return None
    if faults := tuple(future(name, moment)):
        raise Invalid(faults=faults)
    return moment
