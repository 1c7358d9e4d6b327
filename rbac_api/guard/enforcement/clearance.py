"""Proves that the guard has allowed a request: every service function that callers can reach takes a
``Clearance``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Self

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.database.queries.subjects import list_roles_of
from rbac_api.database.queries.users import find_home, list_homes
from rbac_api.decision.domains import is_in
from rbac_api.decision.evaluate import ADMIN, always_covered
from rbac_api.decision.model import ROOT, Constraint, Reason
from rbac_api.decision.strength import assigned_through, bound_by, stronger_roles
from rbac_api.errors import NotFound
from rbac_api.guard.enforcement import queries_strength
from rbac_api.guard.enforcement.authority import Authority
from rbac_api.guard.enforcement.runtime import Runtime
from rbac_api.guard.enforcement.unit_of_work import UnitOfWork
from rbac_api.guard.errors import LastAdministrator, OwnAccount, TargetStronger, listed_names
from rbac_api.guard.state import queries
from rbac_api.trail.recorder import OPERATOR, SYSTEM

CLEARANCE = "rbac.clearance"  # in the environment of the request that is served


class Clearance(Authority):
    """Who may do what, now, and to whom.  Only the guard makes one (``requires`` for people,
    ``operator_clearance`` at a shell)."""

    __slots__ = ()

    def over_account(self, account_id: str, kind: str, read: str, hidden: type[NotFound]) -> Self:
        """Return this clearance at the home of an account of this kind (``person``, ``service``), deleted or
        not, as ``over``.  Reads nothing for a caller who holds the permission at ``root``."""
        if self.everywhere:
            return self
        return self.over(hidden.require(find_home(self.connection, account_id, kind)), read, hidden)

    def require_held_at(self, held: Mapping[str, frozenset[str]], until: datetime | None = None) -> None:
        """Require of each domain that the actor holds there what these roles grant, as ``require_held``."""
        graph = self.graph()
        for domain in sorted(held):
            self._replace(domain=domain).require_held(graph.held_by(held[domain]), until)

    def require_other(self, user_id: str, instead: str) -> None:
        """Refuse the caller's own account (403): no permission replaces what its owner has to prove."""
        if user_id == self.actor.id:
            raise OwnAccount(f"This is for the accounts of others. For your own, {instead}.")

    def require_outranks(self, permissions: frozenset[str], whom: str, user_id: str | None = None) -> None:
        """Require that the caller holds all these permissions of a user or a role: 403 otherwise."""
        if self.unbounded:
            return
        held = self.held
        if beyond := sorted(permissions - held):
            holds = f"holds {listed_names(beyond)}{self.where}, which you do not hold."
            recorded = f"{user_id or whom} {holds}"
            if held.isdisjoint((self.permission, "users:read")):  # no business of the caller's there
                holds, beyond = "holds more than you at a domain where you may not read users.", []
            raise TargetStronger(f"{whom} {holds}", missing=beyond).recorded_as(recorded)

    def require_outranks_at(
        self, held: Mapping[str, AbstractSet[str]], whom: str, user_id: str | None
    ) -> None:
        """Require of each domain, where a user holds these roles, that the caller holds there what they
        grant."""
        graph = self.graph()
        for domain in sorted(held):
            self._replace(domain=domain).require_outranks(graph.held_by(held[domain]), whom, user_id)

    def require_outranks_user(self, user_id: str, username: str) -> None:
        """Require that the caller outranks a user by id; what the user would hold if active counts, now or
        later, at any domain."""
        if not self.unbounded:
            found = list_roles_of(self.connection, [user_id], clock.now())
            self.require_outranks_at(found.get(user_id, {}), username, user_id)

    def require_outranks_users(self, usernames: Mapping[str, str]) -> None:
        """Require that the caller outranks these users by id: 403 for the first who holds more.  Takes few
        statements."""
        if self.unbounded or not usernames:
            return
        alike: dict[frozenset[tuple[str, frozenset[str]]], str] = {}
        for user_id, held in list_roles_of(self.connection, list(usernames), clock.now()).items():
            alike.setdefault(frozenset(held.items()), user_id)
        for places, user_id in alike.items():
            named = self.named(user_id, usernames[user_id], "A user concerned")
            self.require_outranks_at(dict(places), named, user_id)

    def require_outranks_holders(self, roles: Iterable[str], rule: Constraint | None = None) -> None:
        """Require that the caller outranks all holders of these roles, direct or through a senior.  Of a
        dynamic ``rule`` only those count whom it can bind.

        Costs nothing for a caller who holds at ``root`` everything that any role holds: a holder may hold
        more anywhere.
        """
        top = self.looking_at(ROOT)
        if self.unbounded or top.holds_all:
            return
        # The first one found is stronger, unless it holds at a domain what the caller holds there as well
        only_root = rule is None and self.domain == ROOT and not self.person.subject.elsewhere
        graph, now, most = self.graph(), clock.now(), 1 if only_root else None
        stronger = stronger_roles(graph, top.held)
        through = assigned_through(graph, roles) if stronger else frozenset[str]()
        found = queries_strength.list_holders_of_both(self.connection, through, stronger, now, most)
        for user_id, held in list_roles_of(self.connection, list(found), now).items():
            if rule is None or bound_by(graph, rule, frozenset[str]().union(*held.values())):
                named = self.named(user_id, found[user_id], "A holder of this role")
                self.require_outranks_at(held, named, user_id)

    @property
    def reads_users(self) -> bool:
        """Whether an answer may name users whom the caller did not name, wherever they are at home."""
        return self.unbounded or "users:read" in self._replace(domain=ROOT).held

    def may_name(self, user_id: str) -> bool:
        """Whether an answer may name this user: the caller may read users, or is that user."""
        return user_id == self.actor.id or self.reads_users

    def nameable_users(self, user_ids: AbstractSet[str]) -> AbstractSet[str]:
        """Return those of these users whom an answer may name, as ``may_name``: the caller reads users at
        their home."""
        if self.reads_users or not user_ids:
            return user_ids
        homes = list_homes(self.connection, user_ids)
        return {one for one, home in homes.items() if one == self.actor.id or self.holds("users:read", home)}

    def named(self, user_id: str, username: str, otherwise: str) -> str:
        """Return the username where it may be named, and the other words where not."""
        return username if self.may_name(user_id) else otherwise

    def nameable(self, user_ids: Collection[str], connection: Connection | None = None) -> AbstractSet[str]:
        """Return those of these accounts whom an answer may name: the caller reads users at their home, or
        asks about itself, and they are at home where the caller is, or below."""
        about_itself = self.permission is None
        if self.holds("users:read", ROOT) or (self.everywhere and not about_itself):
            return frozenset(user_ids)
        homes = list_homes(connection or self.connection, user_ids)
        near = {one for one, home in homes.items() if about_itself and is_in(home, self.actor.home)}
        return near | {
            one for one, home in homes.items() if one == self.actor.id or self.holds("users:read", home)
        }

    def require_administrator_remains(self) -> None:
        """Require that, after what this unit wrote, a user who can sign in holds ``admin`` at every moment
        from now on: 409 otherwise."""
        able = queries.list_administrators(self.connection, self.graph().seniors(ADMIN), clock.now())
        if not always_covered((one for _, one in able), clock.now()):
            raise LastAdministrator()


def operator_clearance(work: UnitOfWork, runtime: Runtime, *, system: bool = False) -> Clearance:
    """Return the clearance of the operator or of start-up: guards over sets bind it, the roles do not."""
    reasons = (Reason("operator", "has the database and the secret in hand"),)
    return Clearance(SYSTEM if system else OPERATOR, None, reasons, work, runtime)
