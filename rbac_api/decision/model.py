"""Defines the values that decisions are made of.  Each is frozen, comparable, without I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Grants = Literal["listed", "all", "reads"]
Status = Literal["active", "disabled", "deleted"]
Mode = Literal["active", "eligible"]
ConstraintKind = Literal["static", "dynamic", "max-holders", "requires"]
ROOT = "root"
"""The domain that all others are in (``domains``)."""


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission such as ``invoices:approve``; ``system`` marks those of this service itself."""

    name: str
    system: bool = False


@dataclass(frozen=True, slots=True)
class Role:
    """A role and what it holds directly: the ``listed`` permissions, ``all`` there are, or all ``reads`` of
    this service.

    With ``requires_mfa`` it counts, with all it inherits, only for a subject who proved a second factor.
    """

    name: str
    permissions: frozenset[str] = frozenset()
    grants: Grants = "listed"
    requires_mfa: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role given to a subject, in force for ``starts <= moment < ends``; ``ends`` None is open.

    With ``mode`` ``eligible`` it grants nothing until the role is activated in a session.  It counts at its
    ``domain`` and in all domains below.
    """

    role: str
    starts: datetime
    ends: datetime | None = None
    mode: Mode = "active"
    domain: str = ROOT


@dataclass(frozen=True, slots=True)
class Activation:
    """A role made active in a session for ``starts <= moment < ends``."""

    role: str
    starts: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class SessionRoles:
    """How the roles of one session differ from all that its subject has (ANSI INCITS 359 section 6.1.2,
    CreateSession and AddActiveRole).

    It was begun with the ``chosen`` ones alone (None: with all); ``activations`` were added since.  It acts
    at its ``domain`` and below: what counts there, it has there, and nothing anywhere else.
    """

    chosen: frozenset[str] | None = None
    activations: tuple[Activation, ...] = ()
    domain: str = ROOT


EVERYTHING = SessionRoles()


@dataclass(frozen=True, slots=True)
class Constraint:
    """A rule about roles; inherited ones count.

    ``static``: no user holds ``limit`` or more of the ``roles``; ``dynamic``: no session has that many of
    them active; ``max-holders``: each of the roles has at most ``limit`` holders; ``requires``: the first
    role is held only together with all the others.
    """

    name: str
    kind: ConstraintKind
    roles: tuple[str, ...]
    limit: int | None = None

    def reached_by(self, roles: frozenset[str]) -> bool:
        """Return, of a static or dynamic one, whether these are too many of its roles."""
        return self.limit is not None and len(roles.intersection(self.roles)) >= self.limit


@dataclass(frozen=True, slots=True)
class Subject:
    """A user or service account in one session; ``second_factor`` if one was proved there, and the session's
    ``roles``.

    The ``assignments`` are those that count where the question is asked, at ``root`` unless ``domains``
    moved the subject; the others are ``elsewhere`` and count for nothing.  In a session at a domain nothing
    counts at ``root``, so that all are elsewhere.
    """

    id: str
    status: Status
    assignments: tuple[Assignment, ...] = ()
    must_change_password: bool = False
    second_factor: bool = False
    roles: SessionRoles = EVERYTHING
    elsewhere: tuple[Assignment, ...] = ()
    home: str = ROOT  # where the account is administered; no decision about what it may do reads it


@dataclass(frozen=True, slots=True)
class Reason:
    """A stable code and a sentence."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer.  For a yes, ``roles`` are the effective ones that grant it."""

    allowed: bool
    reasons: tuple[Reason, ...]
    roles: tuple[str, ...] = field(default=())
