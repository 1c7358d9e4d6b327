"""Says what the caller of an operation holds, at ``root`` or at another domain, and records what it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, NamedTuple, Self

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.decision.domains import overlaps
from rbac_api.decision.evaluate import ESCALATE
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import EVERYTHING, ROOT, Reason, SessionRoles
from rbac_api.decision.strength import held_until
from rbac_api.decision.working import WorkingRoles, follow
from rbac_api.errors import NotFound
from rbac_api.guard.enforcement.rules import not_held, require_recent
from rbac_api.guard.enforcement.runtime import Runtime
from rbac_api.guard.enforcement.unit_of_work import UnitOfWork
from rbac_api.guard.errors import AccessDenied, EscalationDenied, TokenMissing, listed_names
from rbac_api.guard.state import queries
from rbac_api.guard.state.cache import Snapshot
from rbac_api.guard.state.subjects import Person, SessionState
from rbac_api.settings import Settings
from rbac_api.trail.events import CATALOGUE
from rbac_api.trail.recorder import Actor, Target, record


class Authority(NamedTuple):  # made for every request; a frozen dataclass is much slower
    """Who may do what, now.  ``Clearance`` adds who may be administered.

    ``permission`` is None where any signed-in user is allowed; ``reasons`` are those of the decision.
    """

    actor: Actor
    permission: str | None
    reasons: tuple[Reason, ...]
    work: UnitOfWork
    runtime: Runtime
    session: SessionState | None = None  # that of the request; None for those without one
    domain: str = ROOT  # where this says what the actor holds; see ``at``

    @property
    def connection(self) -> Connection:
        """The connection of the unit of work; in a writing one this takes the write lock, and the decision is
        made again."""
        return self.work.connection

    @property
    def snapshot(self) -> Snapshot:
        """The state in memory that decisions are made on."""
        return self.runtime.snapshot

    @property
    def settings(self) -> Settings:
        """The settings of this application."""
        return self.runtime.settings

    @property
    def unbounded(self) -> bool:
        """Whether the role model does not apply: the operator and the system own the database."""
        return self.actor.type in ("operator", "system")

    @property
    def held(self) -> AbstractSet[str]:
        """What the actor effectively holds at this moment, at this domain; 401 for an anonymous caller of a
        public route, who has to sign in first."""
        if self.unbounded:
            return frozenset({ESCALATE})
        # Many changes in one unit are checked against what was held before the first
        noted = self.work.held
        if self.domain == ROOT:
            return self.person.permissions if noted is None else noted
        return frozenset(noted or ()).union(*(person.permissions for person in self._people))

    @property
    def _people(self) -> tuple[Person, ...]:
        """The actor at ``root``, and at each domain on the way to this one; all of it counts here."""
        return (self.work.holder or self.person).along(self.domain)

    @property
    def home_by_default(self) -> str:
        """Where a new account, role or constraint is at home if the caller does not say: where the session
        acts."""
        return self.session_domain

    @property
    def session_domain(self) -> str:
        """The domain that the session of this request acts at."""
        return ROOT if self.session is None else self.session.roles.domain

    def at(self, domain: str) -> Self:
        """Return this clearance at a domain, with the permission of the operation there: 403 otherwise."""
        here = self._replace(domain=domain)
        if not self.unbounded and self.permission is not None and self.permission not in here.held:
            raise not_held(self.permission, domain)
        self.work.undecided = False
        return here

    def over(self, home: str, read: str, hidden: type[NotFound]) -> Self:
        """Return this clearance at the home of a thing: as ``at``, but ``hidden`` if the caller may not read
        the thing there, as if it did not exist."""
        if not self.everywhere and not self.holds(read, home):
            raise hidden()
        return self.at(home)

    @property
    def everywhere(self) -> bool:
        """Whether the permission of the operation is held at ``root``, or none is required."""
        return self.unbounded or self.permission is None or self.holds(self.permission, ROOT)

    def holds(self, permission: str, domain: str) -> bool:
        """Whether the actor effectively holds a permission at a domain; this decides nothing."""
        return self.unbounded or permission in self.looking_at(domain).held

    def looking_at(self, domain: str) -> Self:
        """Return this clearance at a domain, for saying what the caller could do there; this decides
        nothing."""
        return self._replace(domain=domain)

    def sees(self, domain: str) -> bool:
        """Whether what is assigned at a domain counts where the caller holds the permission of the operation;
        this decides nothing."""
        if self.everywhere or self.permission is None:
            return True
        return overlaps(domain, self.person.domains_granting(self.permission))

    @property
    def only_domain(self) -> str:
        """The domain that something about many homes concerns: that in which the caller holds the permission
        of the operation, ``root`` if that is more than one; this decides nothing."""
        if self.unbounded or self.permission is None:
            return ROOT
        found = self.person.domains_granting(self.permission)
        return found[0] if len(found) == 1 else ROOT

    def domains_granting(self, permission: str | None = None) -> tuple[str, ...]:
        """Return the domains in which the caller holds a permission, that of the operation if none is named:
        a list has only what is at home in one of them (``database.homes``).  ``root`` alone: everything."""
        self.work.undecided = False
        needed = permission or self.permission
        return (ROOT,) if self.unbounded or needed is None else self.person.domains_granting(needed)

    @property
    def holds_all(self) -> bool:
        """Whether the actor holds every permission, including those added later."""
        if self.unbounded:
            return True
        roles = self.graph().roles
        held = (name for person in self._people for name in person.roles)
        return any(roles[name].grants == "all" for name in held if name in roles)

    @property
    def second_factor(self) -> bool:
        """Whether a second factor was proved when this session began."""
        return self.session is not None and self.session.second_factor

    @property
    def session_roles(self) -> SessionRoles:
        """How the roles of this session differ from all that the actor has; a writing unit reads them under
        its lock."""
        if self.session is None:
            return EVERYTHING
        session = self.session
        if self.work.writes:
            session = self.snapshot.session(self.actor.session_id or "", self.connection) or session
        return session.roles

    def graph(self) -> RoleGraph:
        """Return the roles in force, with the changes that this unit has recorded."""
        return self.work.current_graph(self.snapshot)

    def graph_at(self, at: datetime) -> RoleGraph:
        """Return the roles as they were at a past moment."""
        return self.snapshot.roles.at(self.connection, self.graph(), at)

    def latest_graph(self) -> RoleGraph:
        """Return the roles in force, no older than any row that this unit has read; from memory, unless the
        unit writes."""
        if not self.work.writes:
            self.snapshot.freshen()
        return self.graph()

    def know_roles(self, graph: RoleGraph) -> None:
        """Note the roles as they are after what this unit wrote."""
        self.work.know_roles(graph)

    def changed_graph(self) -> RoleGraph:
        """Read the roles from the rows as this unit sees them now."""
        return queries.find_role_graph(self.connection)

    def require_permission(self, permission: str) -> None:
        """Require one more permission than the route does: 403 otherwise.  It counts as used."""
        if not self.unbounded and permission not in self.held:
            raise AccessDenied(f"You need the permission {permission}.", required=permission)
        if self.actor.id:
            self.runtime.uses.count(self.actor.id, permission, self.second_factor)

    def require_recent_signin(self) -> None:
        """Require a recent sign-in where that depends on more than the route: 401 otherwise (RFC 9470)."""
        if self.session is not None:
            require_recent(self.session.auth_time, self.settings)

    def note_held(self) -> set[str]:
        """Note what the actor holds now, and return it: the many changes that follow count as one and are
        checked against it, until ``forget_held``."""
        if not self.unbounded:
            self.work.holder = self.person
        self.work.held = held = set(self.held)
        return held

    def forget_held(self) -> None:
        """End what ``note_held`` began."""
        self.work.held = self.work.holder = None

    def held_until(self, end: datetime | None) -> frozenset[str]:
        """Return what the actor holds without interruption until that moment; None: without an end."""
        now, until = clock.now(), end or clock.ENDLESS
        held = (held_until(person.graph, person.subject, now, until) for person in self._people)
        return frozenset[str]().union(*held)

    def require_held(self, handed_out: Iterable[str], until: datetime | None = None) -> None:
        """Require that the actor holds what is handed out, until that moment or longer (None: without an
        end): 403 otherwise.

        Holders of ``rbac:escalate`` are exempt; the unit notes where they need that.
        """
        wanted, held = frozenset(handed_out), self.held
        if self.unbounded or not wanted:
            return
        beyond = sorted(wanted - held)
        if ESCALATE in held:
            self.work.escalated |= bool(beyond) or self._holds_too_shortly(wanted, until)
        elif beyond:
            raise EscalationDenied(
                f"This grants {listed_names(beyond)}, which you do not hold{self.where}.", missing=beyond
            )
        elif passing := sorted(wanted - self.held_until(until)):
            raise EscalationDenied(
                f"This grants {listed_names(passing)} for longer than you hold it: you hold it until an"
                " end, or while a role is active in your session. Assign it with an earlier expires_at, or"
                " ask a user who holds it without an end.",
                missing=passing,
            )

    def _holds_too_shortly(self, wanted: frozenset[str], until: datetime | None) -> bool:
        people = self._people
        if all(a.mode == "active" and a.ends is None for one in people for a in one.subject.assignments):
            return False  # costs nothing for most
        new = wanted - people[0].graph.permissions.keys()  # made by the same policy, by one who holds all
        return not wanted <= self.held_until(until) | new

    @property
    def where(self) -> str:
        """What a sentence about this domain ends with; nothing at ``root``."""
        return "" if self.domain == ROOT else f" at {self.domain}"

    def record(self, action: str, target: Target, **facts: Any) -> int:
        """Write what this unit does to the trail, in the same transaction: at the domain of this clearance,
        unless the facts have another ``domain``."""
        if CATALOGUE[action].touches in ("roles", "grants"):
            self._follow(action, target.name or "", facts.get("after") or facts.get("before") or {})
        facts.setdefault("domain", None if self.domain == ROOT else self.domain)
        return record(self.connection, self.actor, action, target, **facts)

    def _follow(self, action: str, name: str, facts: Mapping[str, object]) -> None:
        """Apply a recorded change to the roles of this unit, instead of reading all of them again; but not
        what the system creates at start-up, which is built in, as its events do not say."""
        work = self.work
        known = work.roles if work.roles_changed else WorkingRoles(self.graph())
        followed = known is not None and self.actor.type != "system" and follow(known, action, name, facts)
        work.roles, work.graph, work.roles_changed = known if followed else None, None, True

    @property
    def person(self) -> Person:
        """The actor, with what is effective in this session at this moment."""
        connection, profile = self.connection if self.work.writes else None, self.session_roles
        found = self.actor.id and self.snapshot.person(
            self.actor.id, connection, second_factor=self.second_factor, roles=profile
        )
        if not found:
            raise TokenMissing()
        return found
