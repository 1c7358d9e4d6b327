"""Proves that the guard has allowed a request: every service function that callers can reach takes a
``Clearance``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.database.queries.subjects import list_assignments, list_roles_of
from rbac_api.decision.evaluate import ADMIN, ESCALATE, always_covered
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import EVERYTHING, Constraint, Reason, SessionRoles
from rbac_api.decision.strength import assigned_through, bound_by, held_until, stronger_roles
from rbac_api.decision.working import WorkingRoles, follow
from rbac_api.guard.enforcement import queries_strength
from rbac_api.guard.enforcement.rules import require_recent
from rbac_api.guard.enforcement.runtime import Runtime
from rbac_api.guard.enforcement.unit_of_work import UnitOfWork
from rbac_api.guard.errors import (
    AccessDenied,
    EscalationDenied,
    LastAdministrator,
    OwnAccount,
    TargetStronger,
    TokenMissing,
    listed_names,
)
from rbac_api.guard.state import queries
from rbac_api.guard.state.cache import Snapshot
from rbac_api.guard.state.subjects import Person, SessionState
from rbac_api.settings import Settings
from rbac_api.trail.events import CATALOGUE
from rbac_api.trail.recorder import OPERATOR, SYSTEM, Actor, Target, record

CLEARANCE = "rbac.clearance"  # in the environment of the request that is served


class Clearance(NamedTuple):  # made for every request; a frozen dataclass is much slower
    """Who may do what, now.  Only the guard makes one (``requires`` for people, ``operator_clearance`` at a
    shell).

    ``permission`` is None where any signed-in user is allowed; ``reasons`` are those of the decision.
    """

    actor: Actor
    permission: str | None
    reasons: tuple[Reason, ...]
    work: UnitOfWork
    runtime: Runtime
    session: SessionState | None = None  # that of the request; None for those without one

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
        """What the actor effectively holds at this moment; 401 for an anonymous caller of a public route, who
        has to sign in first."""
        if self.unbounded:
            return frozenset({ESCALATE})
        # Many changes in one unit are checked against what was held before the first
        if self.work.held is not None:
            return self.work.held
        return self.person.permissions

    @property
    def holds_all(self) -> bool:
        """Whether the actor holds every permission, including those added later."""
        if self.unbounded:
            return True
        roles = self.graph().roles
        return any(roles[name].grants == "all" for name in self.person.roles if name in roles)

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
        work = self.work
        if work.graph is None and work.roles_changed:
            work.graph = work.roles.compiled() if work.roles else self.changed_graph()
        return work.graph or self.snapshot.graph(work.connection if work.writes else None)

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
        self.work.graph, self.work.roles, self.work.roles_changed = graph, WorkingRoles(graph), True

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
        person = self.work.holder or self.person
        return held_until(person.graph, person.subject, clock.now(), end or clock.ENDLESS)

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
                f"This grants {listed_names(beyond)}, which you do not hold.", missing=beyond
            )
        elif passing := sorted(wanted - self.held_until(until)):
            raise EscalationDenied(
                f"This grants {listed_names(passing)} for longer than you hold it: you hold it until an"
                " end, or while a role is active in your session. Assign it with an earlier expires_at, or"
                " ask a user who holds it without an end.",
                missing=passing,
            )

    def _holds_too_shortly(self, wanted: frozenset[str], until: datetime | None) -> bool:
        person = self.work.holder or self.person
        if all(one.mode == "active" and one.ends is None for one in person.subject.assignments):
            return False  # costs nothing for most
        new = wanted - person.graph.permissions.keys()  # made by the same policy, by a caller who holds all
        return not wanted <= self.held_until(until) | new

    def require_other(self, user_id: str, instead: str) -> None:
        """Refuse the caller's own account (403): no permission replaces what its owner has to prove."""
        if user_id == self.actor.id:
            raise OwnAccount(f"This is for the accounts of others. For your own, {instead}.")

    def require_outranks(self, permissions: frozenset[str], whom: str, user_id: str | None = None) -> None:
        """Require that the caller holds all these permissions of a user or a role: 403 otherwise."""
        if self.unbounded:
            return
        if beyond := sorted(permissions - self.held):
            holds = f"holds {listed_names(beyond)}, which you do not hold."
            raise TargetStronger(f"{whom} {holds}", missing=beyond).recorded_as(f"{user_id or whom} {holds}")

    def require_outranks_user(self, user_id: str, username: str) -> None:
        """Require that the caller outranks a user by id; what the user would hold if active counts."""
        self.require_outranks(self.reach(user_id), username, user_id)

    def require_outranks_users(self, usernames: Mapping[str, str]) -> None:
        """Require that the caller outranks these users by id: 403 for the first who holds more.  Takes few
        statements."""
        if self.unbounded or not usernames:
            return
        roles = list_roles_of(self.connection, list(usernames), clock.now())
        graph = self.graph()
        reaches = {held: graph.held_by(held) for held in set(roles.values())}
        for user_id, held in roles.items():
            named = self.named(user_id, usernames[user_id], "A user concerned")
            self.require_outranks(reaches[held], named, user_id)

    def require_outranks_holders(self, roles: Iterable[str], rule: Constraint | None = None) -> None:
        """Require that the caller outranks all holders of these roles, direct or through a senior.  Of a
        dynamic ``rule`` only those count whom it can bind.

        Costs nothing for a caller who holds everything that any role holds.
        """
        if self.unbounded or self.holds_all:
            return
        graph, now, most = self.graph(), clock.now(), 1 if rule is None else None
        stronger = stronger_roles(graph, self.held)
        through = assigned_through(graph, roles) if stronger else frozenset[str]()
        found = queries_strength.list_holders_of_both(self.connection, through, stronger, now, most)
        for user_id, held in list_roles_of(self.connection, list(found), now).items():
            if rule is None or bound_by(graph, rule, held):
                named = self.named(user_id, found[user_id], "A holder of this role")
                self.require_outranks(graph.held_by(held), named, user_id)

    @property
    def reads_users(self) -> bool:
        """Whether an answer may name users whom the caller did not name."""
        return self.unbounded or "users:read" in self.held

    def may_name(self, user_id: str) -> bool:
        """Whether an answer may name this user: the caller may read users, or is that user."""
        return user_id == self.actor.id or self.reads_users

    def named(self, user_id: str, username: str, otherwise: str) -> str:
        """Return the username where it may be named, and the other words where not."""
        return username if self.may_name(user_id) else otherwise

    def require_administrator_remains(self) -> None:
        """Require that, after what this unit wrote, a user who can sign in holds ``admin`` at every moment
        from now on: 409 otherwise."""
        able = queries.list_administrators(self.connection, self.graph().seniors(ADMIN), clock.now())
        if not always_covered((one for _, one in able), clock.now()):
            raise LastAdministrator()

    def record(self, action: str, target: Target, **facts: Any) -> int:
        """Write what this unit does to the trail, in the same transaction."""
        if CATALOGUE[action].touches in ("roles", "grants"):
            self._follow(action, target.name or "", facts.get("after") or facts.get("before") or {})
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

    def reach(self, user_id: str) -> frozenset[str]:
        """Return what a user would hold if active, with all that is assigned now or later, at any domain."""
        now: datetime = clock.now()
        return self.graph().held_by(a.role for a in list_assignments(self.connection, user_id, now))


def operator_clearance(work: UnitOfWork, runtime: Runtime, *, system: bool = False) -> Clearance:
    """Return the clearance of the operator or of start-up: guards over sets bind it, the roles do not."""
    reasons = (Reason("operator", "has the database and the secret in hand"),)
    return Clearance(SYSTEM if system else OPERATOR, None, reasons, work, runtime)
