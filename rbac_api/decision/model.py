"""What decisions are made of.  Everything is a value: frozen, comparable, without I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Grants = Literal["listed", "all", "reads"]
Status = Literal["active", "disabled", "deleted"]


@dataclass(frozen=True, slots=True)
class Permission:
    """``resource:verb``; ``system`` marks this service's own."""

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
    """A role given to a subject, in force for ``starts <= moment < ends``; ``ends`` None is open."""

    role: str
    starts: datetime
    ends: datetime | None = None

    def in_force(self, at: datetime) -> bool:
        """Whether it counts at that moment."""
        return self.starts <= at and (self.ends is None or at < self.ends)


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody about whom a decision is made; ``second_factor`` if she proved one in the session she asks in."""

    id: str
    status: Status
    assignments: tuple[Assignment, ...] = ()
    must_change_password: bool = False
    second_factor: bool = False


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
