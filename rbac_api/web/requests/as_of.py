"""``?at=``: a read as of a moment that is past."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rbac_api.errors import Invalid
from rbac_api.formats.as_of import future
from rbac_api.web.fields import Body, Moment

AS_OF = {"description": "as of this past time; default: now"}


class AtQuery(Body):
    """As of when."""

    at = Moment(metadata=AS_OF)


def past_moment(query: Mapping[str, Any], name: str = "at") -> datetime | None:
    """The moment asked for; None for now.  422 ``at.future`` for one that has not come: what will be true then nobody knows."""
    moment: datetime | None = query.get(name)
    if moment is not None and (faults := tuple(future(name, moment))):
        raise Invalid(faults=faults)
    return moment
