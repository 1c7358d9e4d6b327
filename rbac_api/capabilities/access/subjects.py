"""Finds the subject that a question is about, in the kind of session that it is asked for. Part of the
service."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from rbac_api import clock
from rbac_api.capabilities.domains.service import require_domain_in_sight
from rbac_api.capabilities.service_accounts.errors import ServiceAccountNotFound
from rbac_api.capabilities.users.errors import UserNotFound
from rbac_api.database.queries.subjects import get_subject
from rbac_api.decision.evaluate import holding
from rbac_api.decision.model import ROOT, SessionRoles, Subject
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.state import queries_history as history


class Circumstances(NamedTuple):
    """When, where and in which kind of session a question is asked; ``at`` None: now."""

    at: datetime | None = None
    domain: str = ROOT
    second_factor: bool = True


NOW = Circumstances()


def require_place(clearance: Clearance, asked: Circumstances) -> None:
    """404 unless the domain exists, or existed then, and something counts there that the caller may read."""
    require_domain_in_sight(clearance, asked.domain, asked.at)


def find_user(clearance: Clearance, user_id: str, at: datetime | None, *, second_factor: bool) -> Subject:
    """A user at ``root`` in a new session, with or without a second factor; 404 for a user who is unknown, or
    whom the caller may not read."""
    moment = at or clock.now()
    clearance.over_account(user_id, "person", "users:read", UserNotFound)
    found = UserNotFound.require(history.find_holder_at(clearance.connection, user_id, "person", moment))
    return replace(found, second_factor=second_factor)


def find_service_account(clearance: Clearance, account_id: str, at: datetime | None) -> Subject:
    """A service account, which has no second factor; 404 for one that is unknown, or that the caller may not
    read."""
    moment = at or clock.now()
    clearance.over_account(account_id, "service", "service-accounts:read", ServiceAccountNotFound)
    return ServiceAccountNotFound.require(
        history.find_holder_at(clearance.connection, account_id, "service", moment)
    )


def find_me(clearance: Clearance, at: datetime | None = None) -> Subject:
    """The caller in the current session; or at a past moment, in a new session with a second factor if the
    current one has one: 404 if the account did not exist yet."""
    connection, my_id, now = clearance.connection, clearance.actor.id or "", clock.now()
    proved = clearance.second_factor
    if at is not None:
        there = SessionRoles(domain=clearance.session_domain)
        found = history.find_subject_at(connection, my_id, at, second_factor=proved, roles=there)
        return UserNotFound.require(found)[0]
    subject = get_subject(connection, my_id, now, second_factor=proved, roles=clearance.session_roles)
    held = history.list_assignments_at(connection, [my_id], now)[my_id]  # including those that are over
    return holding(subject, held)
