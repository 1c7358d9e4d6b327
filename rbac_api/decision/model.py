"""What decisions are made of.  Everything is a value: frozen, comparable, without I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Grants = Literal["listed", "all", "reads"]
Status = Literal["active", "disabled", "deleted"]
Mode = Literal["active", "eligible"]
ConstraintKind = Literal["static", "dynamic", "max-holders", "requires"]


@dataclass(frozen=True, slots=True)
class Permission:
    """Such as ``invoices:approve``; ``system`` marks this service's own."""

    name: str
    system: bool = False


@dataclass(frozen=True, slots=True)
class Role:
    """A role and what it holds directly: the ``listed`` permissions, ``all`` there are, or all ``reads`` of this service.

    One that ``requires_mfa`` counts, with all it inherits, only for a subject who proved a second factor.
    """

    name: str
    permissions: frozenset[str] = frozenset()
    grants: Grants = "listed"
    requires_mfa: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role given to a subject, in force for ``starts <= moment < ends``; ``ends`` None is open.

    One whose ``mode`` is ``eligible`` grants nothing until the role is activated in a session.
    """

    role: str
    starts: datetime
    ends: datetime | None = None
    mode: Mode = "active"

    def in_force(self, at: datetime) -> bool:
        """Whether it counts at that moment."""
        return self.starts <= at and (self.ends is None or at < self.ends)


@dataclass(frozen=True, slots=True)
class Activation:
    """A role made active in a session for ``starts <= moment < ends``."""

    role: str
    starts: datetime
    ends: datetime

    def in_force(self, at: datetime) -> bool:
        """Whether it counts at that moment."""
        return self.starts <= at < self.ends


@dataclass(frozen=True, slots=True)
class SessionRoles:
    """How the roles of one session differ from all that its subject has: begun with the ``chosen`` ones alone (None: with all), and what
    was activated since (ANSI INCITS 359 section 6.1.2, CreateSession and AddActiveRole)."""

    chosen: frozenset[str] | None = None
    activations: tuple[Activation, ...] = ()


EVERYTHING = SessionRoles()


@dataclass(frozen=True, slots=True)
class Constraint:
    """A rule about roles; inherited ones count.

    ``static``: nobody holds ``limit`` or more of the ``roles``; ``dynamic``: nobody has so many active in one session; ``max-holders``:
    each of the roles has at most ``limit`` holders; ``requires``: the first role is held only together with all the others.
    """

    name: str
    kind: ConstraintKind
    roles: tuple[str, ...]
    limit: int | None = None

    def reached_by(self, roles: frozenset[str]) -> bool:
        """Of a static or dynamic one: whether these are too many of its roles."""
        return self.limit is not None and len(roles.intersection(self.roles)) >= self.limit


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody about whom a decision is made, in the session she asks in: ``second_factor`` if she proved one, and its ``roles``."""

    id: str
    status: Status
    assignments: tuple[Assignment, ...] = ()
    must_change_password: bool = False
    second_factor: bool = False
    roles: SessionRoles = EVERYTHING


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: a stable code and a sentence."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer.  ``roles`` are the effective ones that grant it, for a yes."""

    allowed: bool
    reasons: tuple[Reason, ...]
    roles: tuple[str, ...] = field(default=())
