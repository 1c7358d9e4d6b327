"""Errors of reading the trail."""

from __future__ import annotations

from rbac_api.errors import NotFound, Unavailable


class EventNotFound(NotFound):
    code = "event.not_found"
    title = "No such event"
    default_detail = "There is no event with this number. List them with GET /v1/audit/events."


class TreeIncomplete(Unavailable):
    code = "audit.tree_incomplete"
    title = "The tree is not built yet"
    default_detail = (
        "The tree over the events is still being built, as after an upgrade with a long trail. Each request"
        " builds a part of it. Try again after the number of seconds in Retry-After."
    )
