"""Errors of reading the trail."""

from __future__ import annotations

from rbac_api.errors import NotFound


class EventNotFound(NotFound):
    code = "event.not_found"
    title = "No such event"
    default_detail = "There is no event with this number. List them with GET /v1/audit/events."
