"""Histories of delegated administration: a random tree, random delegates, and calls that they make one after the other.

Nothing of the service says here what is right.  What an account holds is read from the rows: an assignment counts at its domain and
below.  What a call gives is compared with what its caller held, and whom an answer names with whom its caller might read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.assignments.terms import Terms
from rbac_api.capabilities.domains.service import create_domain
from rbac_api.capabilities.roles.service import create_role, grant_permission
from rbac_api.capabilities.service_accounts.service import create_service_account
from rbac_api.capabilities.users.service import NewUser, add_user
from rbac_api.cli.prepare import operator_unit
from rbac_api.guard.state.queries import find_role_graph
from tests.builders import Caller, Stage, cheap_hash
from tests.cast import PASSWORD
from tests.contract.operations import Operation, operations
from tests.decision.domain_model import grown
from tests.guard.domain_policies import attempt
from tests.guard.hostile import OWN_AFFAIRS, bodies
from tests.guard.tenants import UNKNOWN, text

ROLES = {
    "clerk": ("invoices:read",),
    "payer": ("payments:release",),
    "people-admin": ("users:read", "users:create", "users:update", "users:delete", "users:reset-password"),
    "giver": ("users:read", "service-accounts:read", "assignments:create", "assignments:revoke"),
    "robot-admin": tuple(f"service-accounts:{verb}" for verb in ("read", "create", "update", "delete")),
}
KEPT = "policy:read", "policy:plan", "policy:apply", "roles:create", "roles:update"
ROLES["policy-keeper"] = (*ROLES["giver"], *KEPT)
GIVEN = (*ROLES, "role-manager", "role-manager", "admin", "auditor")
# Lists of assignments and holders name service accounts to readers of users.
READS = {"person": {"users:read"}, "service": {"service-accounts:read", "users:read"}}
NAMES = re.compile(r"(?:made|person|robot)-\d+-x|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Alice holds everything: what she hands out is allowed, and shakes the scene.
SHAKES = ("assign", "revoke", "create")


@dataclass(frozen=True)
class Account:
    """A live account, as its row says."""

    id: str
    name: str
    home: str
    kind: str


@dataclass(frozen=True)
class Facts:
    """Who is at home where, and who was assigned what where."""

    accounts: dict[str, Account]
    granted: dict[tuple[str, str], frozenset[str]]

    def held(self, account: str, domain: str, within: str = "root") -> frozenset[str]:
        """What an account holds at a domain, in a session that acts at another one and below."""
        if within not in above(domain):
            return frozenset()
        return frozenset().union(*(self.granted.get((account, at), frozenset()) for at in above(domain)))


@dataclass
class Actor:
    """A signed-in account; its session may act at one domain only."""

    account: str
    within: str
    caller: Caller


@dataclass(frozen=True)
class Credential:
    """What an actor was given to open an account with, and what the account held then."""

    issuer: Actor
    account: str
    secret: str
    held: dict[str, frozenset[str]]


@dataclass
class World:
    """A scene, and what has happened in it."""

    stage: Stage
    random: Random
    actors: list[Actor] = field(default_factory=list)
    credentials: list[Credential] = field(default_factory=list)
    passwords: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def name(self) -> str:
        self.made += 1
        return f"made-{self.made}-x"

    def domain(self) -> str:
        return str(
            self.random.choice(self._column("SELECT name FROM domains WHERE valid_to IS NULL", "root"))
        )

    def role(self) -> str:
        if self.random.random() < 0.5:
            return self.random.choice(tuple(ROLES))
        return str(self.random.choice(self._column("SELECT name FROM roles WHERE valid_to IS NULL")))

    def account(self, kind: str, known: Facts, near: str | None) -> str:
        """An account, at home in a domain if one is named and one is at home there."""
        some = sorted((one for one in known.accounts.values() if one.kind == kind), key=lambda one: one.name)
        here = [one for one in some if near in above(one.home)] or some
        return self.random.choice(here).id if here else UNKNOWN

    def _column(self, query: str, *more: str) -> list[Any]:
        return sorted([*more, *(found for (found,) in self.stage.query(query))])


def above(domain: str) -> list[str]:
    """The root, and each domain on the way to this one."""
    parts = [] if domain == "root" else domain.split(".")
    return ["root", *(".".join(parts[: length + 1]) for length in range(len(parts)))]


def facts(stage: Stage) -> Facts:
    """The present ones, straight from the rows."""
    rows = stage.query("SELECT id, username, home, kind FROM users WHERE deleted_at IS NULL")
    accounts = {text(row[0]): Account(text(row[0]), *row[1:]) for row in rows}
    given = stage.query(
        "SELECT a.user_id, r.name, a.domain FROM assignments a JOIN roles r ON r.id = a.role_id"
        " WHERE a.valid_to IS NULL AND r.valid_to IS NULL"
    )
    with stage.database.reading() as connection:
        graph = find_role_graph(connection)
    granted: dict[tuple[str, str], frozenset[str]] = {}
    for user, role, domain in given:
        key = text(user), domain
        granted[key] = granted.get(key, frozenset()) | graph.held_by((role,))
    return Facts(accounts, granted)


def world(stage: Stage, seed: int) -> World:
    """A random tree of seven domains, five users and two robots at home in it, with random roles at random places."""
    stage.reset()
    found, random = World(stage, Random(seed)), Random(seed)
    tree = sorted(set(grown(random, 7).parent) - {"root"}, key=lambda name: (name.count("."), name))
    hashed, names = cheap_hash(stage.settings), [f"person-{number}-x" for number in range(5)]
    with operator_unit(stage.settings, stage.database) as clearance:
        for domain in tree:
            create_domain(clearance, {"name": domain})
        for role, permissions in ROLES.items():
            create_role(clearance, {"name": role})
            for permission in permissions:
                grant_permission(clearance, role, permission)
        for name in names:
            home = random.choice(tree)
            user = add_user(
                clearance, NewUser(username=name, home=home, password_hash=hashed, password_final=True)
            )
            places = {(random.choice(GIVEN), random.choice((home, *tree))) for _ in range(3)}
            for role, domain in sorted(places):
                assign_role(clearance, user.id, role, Terms(domain=domain))
        for number in range(2):
            create_service_account(clearance, f"robot-{number}-x", None, random.choice(tree))
    for name in ("alice", "bob", *names):
        account = stage.user_id(name)
        found.passwords[account] = PASSWORD
        sign_in(found, account, name)
    return found


def sign_in(world: World, account: str, name: str) -> None:
    """One more session, in which the account acts; now and then at a domain only."""
    within = world.domain() if world.random.random() < 0.2 else "root"
    caller = world.stage.caller()
    body = {"username": name, "password": world.passwords[account]}
    answer = caller.post("/v1/auth/login", json=body if within == "root" else {**body, "domain": within})
    if answer.status_code == 200:
        caller.tokens = answer.json
        world.actors.append(Actor(account, within, caller))


def where_it_counts(world: World, actor: Actor, known: Facts) -> str | None:
    """A domain where the actor may have something to say."""
    places = {at for account, at in known.granted if account == actor.account}
    homes = {account.home for account in known.accounts.values()} | places
    return world.random.choice(sorted(one for one in homes if places & {*above(one)}) or [None])


# What an actor may try: method, path and body.
Call = tuple[str, str, dict[str, Any] | None]


def calls(world: World, actor: Actor, known: Facts) -> dict[str, Callable[[], Call]]:
    """The calls of which delegated administration consists; and any other operation that there is."""
    near = where_it_counts(world, actor, known) if world.random.random() < 0.5 else None
    user = f"/v1/users/{world.account('person', known, near)}"
    robot = f"/v1/service-accounts/{world.account('service', known, near)}"
    at, some = near or world.domain(), world.random.choice((user, user, user, robot))
    if world.credentials and world.random.random() < 0.4:  # of what a credential opens, more can become
        some = user = f"/v1/users/{world.random.choice(world.credentials).account}"
    return {
        "assign": lambda: ("PUT", f"{some}/roles/{world.role()}", {"domain": at, "reason": "x"}),
        "assign once more": lambda: ("PUT", f"{some}/roles/{world.role()}", {"domain": at}),
        "revoke": lambda: ("DELETE", f"{some}/roles/{world.role()}?domain={at}", None),
        "create": lambda: ("POST", "/v1/users", {"username": world.name(), "home": at}),
        "create a robot": lambda: (
            "POST",
            "/v1/service-accounts",
            {"name": world.name(), "home": at},
        ),
        "move": lambda: ("PATCH", some, {"home": at}),
        "disable": lambda: (
            "PATCH",
            user,
            {"status": world.random.choice(("active", "disabled"))},
        ),
        "reset": lambda: ("POST", f"{user}/password-reset", None),
        "secret": lambda: ("POST", f"{robot}/secrets", {}),
        "role": lambda: ("POST", "/v1/roles", _role(world, at)),
        "grant": lambda: ("PUT", f"/v1/roles/{world.role()}/permissions/{_permission(world)}", None),
        "inherit": lambda: ("PUT", f"/v1/roles/{world.role()}/inherits/{world.role()}", None),
        "domain": lambda: ("POST", "/v1/domains", {"name": _below(world, at)}),
        **_policies(world, at, known),
        "see": lambda: ("GET", some, None),
        "see again": lambda: ("GET", user, None),
        "review": lambda: ("GET", f"{some}/roles", None),
        "list": lambda: ("GET", _list(world, at), None),
        "look": lambda: any_operation(world, user, robot, at, reads=True),
        "look again": lambda: any_operation(world, user, robot, at, reads=True),
        "anything": lambda: any_operation(world, user, robot, at, reads=False),
    }


def _policies(world: World, at: str, known: Facts) -> dict[str, Callable[[], Call]]:
    people = sorted(one.name for one in known.accounts.values() if one.kind == "person")

    def document() -> dict[str, Any]:
        return attempt(world.random, at, people, [world.role(), world.role()], [_permission(world)])

    return {
        "policy": lambda: ("GET", f"/v1/policy?domain={at}", None),
        "plan": lambda: ("POST", f"/v1/policy/plan?domain={at}&prune=true", document()),
        "apply": lambda: ("POST", f"/v1/policy/apply?domain={at}", document()),
        "prune": lambda: ("POST", f"/v1/policy/apply?domain={at}&prune=true", document()),
    }


def _permission(world: World) -> str:
    return world.random.choice([one for some in ROLES.values() for one in some])


def _role(world: World, home: str) -> dict[str, Any]:
    return {"name": f"role-{world.name()}", "home": home, "permissions": [_permission(world)]}


def _below(world: World, domain: str) -> str:
    return world.name() if domain == "root" else f"{domain}.{world.name()}"


def _list(world: World, domain: str) -> str:
    kind = world.random.choice(("users", "service-accounts", "assignments", "sessions", "incidents"))
    query = world.random.choice(("", f"?home={domain}", f"?domain={domain}", "?q=x", "?limit=2&count=true"))
    return f"/v1/{kind}{query}"


_OPERATIONS: list[Operation] = []


def any_operation(world: World, user: str, robot: str, at: str, *, reads: bool) -> Call:
    """Any operation of the document that asks for credentials, at random targets."""
    if not _OPERATIONS:
        _OPERATIONS.extend(one for one in operations(world.stage.app) if not one.public and not one.own_form)
    random = world.random
    chosen = [one for one in _OPERATIONS if one.writes is not reads and one.id not in OWN_AFFAIRS]
    operation = random.choice(chosen)
    targets = {
        "user_id": user.rpartition("/")[2],
        "account_id": robot.rpartition("/")[2],
        "role": world.role(),
        "junior": world.role(),
        "permission": _permission(world),
        "domain": at,
    }
    sessions = world.stage.query("SELECT id FROM sessions ORDER BY id")
    named = {name: targets.get(name, UNKNOWN) for name in operation.parameters}
    if "session_id" in named and sessions:
        named["session_id"] = text(random.choice(sessions)[0])
    body = None
    if not reads:
        known = {"domain": at, "home": at, "username": world.name(), "name": world.name()}
        body = random.choice(list(bodies(operation)))
        body = body and {key: known.get(key, value) for key, value in body.items()}
    query = "?permission=invoices:read" if operation.id.endswith("_access") else ""
    return operation.method, operation.at(named) + query, body
