"""Types of answers about users."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired, TypedDict

from rbac_api.decision.model import Status
from rbac_api.formats.paging import NamedFilters


class UserAnswer(TypedDict):
    """A user with an account."""

    id: str
    username: str
    email: str | None
    display_name: str | None
    status: Status
    password_change_required: bool
    locked_until: datetime | None
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None
    home: str


class PasswordSetupAnswer(TypedDict):
    """A single-use token for choosing a password."""

    token: str
    expires_at: datetime


class CreatedUserAnswer(UserAnswer):
    """The new user; without a password in the request also the setup token."""

    password_setup: NotRequired[PasswordSetupAnswer]


class UserFilters(NamedFilters, total=False):
    """Which users to list."""

    role: str | None
    status: str | None
    created_after: datetime | None
    last_login_before: datetime | None
    never_signed_in: bool | None
    without_roles: bool | None
    second_factor: bool | None
    home: str | None
    sort: str | None
    at: datetime | None
