"""The working copy of a policy: everything as of one moment, changed step by step. Part of the service.

Nothing is written here. ``pending`` and ``events`` collect what ``engine.write`` then writes at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from rbac_api.capabilities.constraints.service import Change, Expected
from rbac_api.capabilities.permissions.errors import PermissionNotFound
from rbac_api.capabilities.policy import queries
from rbac_api.capabilities.policy.places import Places
from rbac_api.database.pending import NOW, Pending
from rbac_api.database.tables import roles
from rbac_api.decision.document import Document, domain_of
from rbac_api.decision.domains import home_of
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Assignment, Constraint, Mode
from rbac_api.decision.naming import ROLE, folded
from rbac_api.decision.separation_of_duty import Holder
from rbac_api.decision.working import WorkingRoles
from rbac_api.errors import ServiceError
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import RoleNotFound
from rbac_api.trail.recorder import Event, Target

V = TypeVar("V")
Place = tuple[str, str]  # the role, and the domain it is assigned at
Name = tuple[str, str]  # ``user`` or ``service_account``, and the canonical name


@dataclass(slots=True)
class Thing:
    """The row of a permission or a role; a new one has no version."""

    id: str
    description: str
    title: str | None = None
    system: bool = False
    version: int | None = None


class ByName(dict[str, V]):
    """Rows by name, and whether a name is taken: names that differ only by case are one."""

    def __init__(self, rows: Mapping[str, V]) -> None:
        super().__init__(rows)
        self._folded = {folded(name) for name in rows}

    def __setitem__(self, name: str, row: V) -> None:
        super().__setitem__(name, row)
        self._folded.add(folded(name))

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self._folded.discard(folded(name))

    def is_taken(self, name: str) -> bool:
        """Whether there is a row with this name, or with one that differs only by case."""
        return folded(name) in self._folded


@dataclass(frozen=True, slots=True)
class Held:
    """The row of an assignment."""

    id: str
    role: str
    valid_from: datetime
    valid_to: datetime | None
    mode: Mode
    reason: str | None
    max_duration: int | None
    domain: str

    @property
    def place(self) -> Place:
        """What distinguishes it from the other assignments of the account."""
        return self.role, self.domain


@dataclass(slots=True)
class Account:
    """An account that gains or loses roles: its assignments at all domains, before and after. ``able``: it
    can be an administrator."""

    target: Target
    able: bool
    had: dict[Place, Held] = field(default_factory=dict)
    has: dict[Place, Held] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The account's id."""
        return self.target.id or ""

    @property
    def roles(self) -> frozenset[str]:
        """The roles that it will have, at any domain."""
        return frozenset(role for role, _ in self.has)

    @property
    def name(self) -> str:
        """The account's name."""
        return self.target.name or ""


@dataclass(slots=True)
class State:
    """The roles and their rows, and the accounts that a document names."""

    clearance: Clearance
    at: datetime
    graph: RoleGraph
    roles: WorkingRoles
    permission_rows: ByName[Thing]
    role_rows: ByName[Thing]
    rule_ids: ByName[str]
    accounts: dict[str, Account] = field(default_factory=dict)
    names: dict[Name, Account] = field(default_factory=dict)
    pending: Pending = field(default_factory=Pending)
    events: list[Event] = field(default_factory=list)
    outdated: set[str] = field(default_factory=set)  # roles whose holders have other permissions afterwards
    changed: dict[str, None] = field(default_factory=dict)  # ids of the accounts whose assignments change
    changes: dict[Change, set[str]] = field(default_factory=dict)  # with the accounts, for the constraints
    made_rules: list[str] = field(default_factory=list)
    loses: bool = False  # whether an administrator may be lost
    until: datetime | None = None  # the result holds until this moment
    touched: dict[str, tuple[int, dict[str, object]]] = field(default_factory=dict)  # rows of roles, by id
    answers: dict[object, ServiceError | None] = field(
        default_factory=dict
    )  # of guards, while the roles stay as they are
    stronger: frozenset[str] | None = (
        None  # roles that hold something the caller does not hold, before the first step
    )
    outranked: set[tuple[frozenset[str], Constraint | None]] = field(
        default_factory=set
    )  # roles whose holders the caller may change
    open_numbers: dict[str, int] = field(
        default_factory=dict
    )  # of assignments by role, as the rows have them
    more: Counter[str] = field(
        default_factory=Counter
    )  # of assignments by the name of the role: how many are added
    held: set[str] = field(default_factory=set)  # by the caller; grows only for a caller who holds all
    holds_all: bool = False  # whether the caller holds every permission there is
    compiled: RoleGraph | None = None
    places: Places = field(default_factory=Places)
    administrators: tuple[frozenset[str], list[tuple[str, Assignment]]] | None = None

    @property
    def connection(self) -> Connection:
        """The connection, which sees the state as of the moment."""
        return self.clearance.connection

    def record_event(self, action: str, kind: str, name: str, **facts: Any) -> None:
        """Note an event about a domain, a role, a permission, an inheritance or a constraint."""
        home = name if kind == "domain" else home_of(name)
        self.events.append(Event(action, Target(kind, name, name, home), **facts))

    def touch_role(self, row: Thing, **values: object) -> None:
        """Give the row a new version; a new row is written in its last form."""
        if row.version is not None:
            self.touched.setdefault(row.id, (row.version, {}))[1].update(values)

    def change_roles(self) -> WorkingRoles:
        """The roles, to be changed: forgets what was computed from them."""
        self.compiled, self.answers = None, {}
        return self.roles

    def permission(self, name: str) -> Thing:
        """The row; 404 for an unknown or deleted permission."""
        if name not in self.permission_rows:
            raise PermissionNotFound(f"There is no permission {name}. List them with GET /v1/permissions.")
        return self.permission_rows[name]

    def role(self, name: str) -> Thing:
        """The row; 404 for an unknown or deleted role."""
        if name not in self.role_rows:
            raise RoleNotFound(f"There is no role {name[: ROLE.longest]}. List them with GET /v1/roles.")
        return self.role_rows[name]

    def note_places(self, document: Document) -> set[str]:
        """Note the domains that the document is about, or names; returns all that are known."""
        if document.domains or "domains" in document.said:
            self.places.load(self.connection)
        homes = {home_of(entry["name"]) for entry in (*document.roles, *document.constraints)}
        homes.update(str(entry["home"]) for entry in document.users if "home" in entry)
        self.places.note(self.connection, {*map(domain_of, document.assignments), *homes})
        return self.places.known

    def require_domain(self, name: str) -> None:
        """404 for a domain that does not exist."""
        self.places.note(self.connection, [name])
        self.places.require(name)

    def is_held(self, role: str) -> bool:
        """Whether an account will have the role, now or later."""
        return self.open_numbers.get(self.role_rows[role].id, 0) + self.more[role] > 0

    def graph_now(self) -> RoleGraph:
        """The current roles, compiled once per change."""
        if self.compiled is None:
            self.compiled = self.roles.compiled()
        return self.compiled.with_constraints(self.roles.rules.values())

    def note_accounts(self, rows: Iterable[queries.KnownAccount]) -> list[str]:
        """Load these accounts; returns their ids."""
        found = []
        for row in rows:
            kind = "service_account" if row.kind == "service" else "user"
            self.add_account(Account(Target(kind, row.id, row.username), row.able), row.username_canonical)
            found.append(row.id)
        return found

    def add_account(self, account: Account, canonical: str) -> None:
        """Load one of them."""
        self.accounts[account.id] = self.names[account.target.type, canonical] = account

    def note_held(self, rows: Iterable[queries.HeldAssignment]) -> list[queries.HeldAssignment]:
        """Note the assignments of loaded accounts."""
        found = list(rows)
        for row in found:
            held = Held(
                row.assignment_id,
                row.role,
                row.valid_from,
                row.valid_to,
                row.mode,
                row.reason,
                row.max_duration,
                row.domain,
            )
            account = self.accounts[row.id]
            account.had[held.place] = account.has[held.place] = held
        return found

    def expected(self) -> Expected:
        """The accounts whose assignments change, for constraints: as the rows have them, and as they will
        be."""
        known = [self.accounts[user_id] for user_id in self.changed]
        return Expected(
            {one.id: Holder(one.id, one.name, assigned(one.had)) for one in known},
            {one.id: Holder(one.id, one.name, assigned(one.has)) for one in known},
        )

    def settle(self) -> None:
        """Add the new versions of roles to what is to be written."""
        for role_id, (version, values) in self.touched.items():
            new = {**values, "version": version + 1, "updated_at": NOW}
            self.pending.change(roles, {"id": role_id, "version": version}, new)


def assigned(held: Mapping[Place, Held]) -> tuple[Assignment, ...]:
    """The assignments as decisions take them, at all domains."""
    return tuple(
        Assignment(one.role, one.valid_from, one.valid_to, one.mode, one.domain) for one in held.values()
    )


def load_state(clearance: Clearance, at: datetime) -> State:
    """Everything except accounts, read once."""
    connection, graph = clearance.connection, clearance.changed_graph()
    permissions = {
        row.name: Thing(row.id, row.description, row.title, row.system)
        for row in queries.list_permissions(connection)
    }
    found = {
        row.name: Thing(row.id, row.description, row.title, row.system, row.version)
        for row in queries.list_roles(connection)
    }
    rules = queries.find_constraint_ids(connection)
    tables = ByName(permissions), ByName(found), ByName(rules)
    return State(clearance, at, graph, WorkingRoles(graph), *tables)
