"""A machine that runs random commands on the reference model and on the service at once, and compares them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.conftest import ENGINES, Stages
from tests.journeys.deviations import Ours
from tests.journeys.product import Product
from tests.journeys.rbac_model import COMMANDS, REVIEWS, Refused

MOST_SESSIONS = 4
USERS, ROLES = ["u1", "u2", "u3"], ["r1", "r2", "r3", "r4", "r5"]
PERMISSIONS = ["thing:p1", "thing:p2", "thing:p3"]
IN_SESSIONS = ["CreateSession", "AddActiveRole", "DropActiveRole"]
MORE_OFTEN = ["CheckAccess", "AssignUser", "DeassignUser", "DeleteInheritance", *IN_SESSIONS * 3]
SETS = [("Ssd", "ssd-1"), ("Ssd", "ssd-2"), ("Dsd", "dsd-1"), ("Dsd", "dsd-2")]
a_user, a_role, a_permission = st.sampled_from(USERS), st.sampled_from(ROLES), st.sampled_from(PERMISSIONS)
Draw = Callable[[Any], Any]


class LockStep(RuleBasedStateMachine):
    """The model, and the service on some engines."""

    stages: Stages
    engines: tuple[str, ...] = ENGINES

    def __init__(self) -> None:
        super().__init__()
        self.model, self.begun = Ours(), 0
        self.products = [Product(self.stages.get(engine), PERMISSIONS) for engine in self.engines]

    def do(self, command: str, *arguments: Any) -> None:
        """The same command to all; they agree whether it is accepted."""
        try:
            after, expected = self.model.run(command, *arguments), True
        except Refused:
            after, expected = self.model, False
        found = {product.stage.engine: product.run(command, *arguments) for product in self.products}
        assert set(found.values()) == {expected}, f"{command}{arguments}: the model says {expected}, {found}"
        self.model = after

    @initialize(
        edges=st.sets(st.tuples(a_role, a_role), max_size=4),
        given=st.sets(st.tuples(a_user, a_role), max_size=6),
        apart=st.frozensets(a_role, min_size=2, max_size=2),
    )
    def begin(self, edges: set[tuple[str, str]], given: set[tuple[str, str]], apart: frozenset[str]) -> None:
        for user in USERS[:2]:
            self.do("AddUser", user)
        for number, role in enumerate(ROLES[:4]):
            self.do("AddRole", role)
            self.do("GrantPermission", PERMISSIONS[number % 3], role)
        for edge in sorted(edges):
            self.do("AddInheritance", *edge)
        self.do("CreateSet", "Dsd", "dsd-1", apart, 2)
        for pair in sorted(given):
            self.do("AssignUser", *pair)
        for user in USERS[:2]:
            self.begun += 1
            self.do("CreateSession", user, f"s{self.begun}", None)

    @rule(command=st.sampled_from([*COMMANDS, *MORE_OFTEN]), data=st.data())
    def run(self, command: str, data: st.DataObject) -> None:
        if command == "CheckAccess":
            self.check_access(data.draw(a_permission))
            return
        arguments = DRAWN[command](self, data.draw)
        if arguments is not None:
            self.begun += command == "CreateSession"
            self.do(command, *arguments)

    def check_access(self, permission: str) -> None:
        """In every session."""
        for session in sorted(dict(self.model.sessions)):
            expected = permission in REVIEWS["SessionPermissions"](self.model, session)
            for product in self.products:
                assert product.check_access(session, permission) is expected, (session, permission)

    def review_sessions(self) -> None:
        self.compare(dict(self.model.sessions), "SessionRoles", "SessionPermissions")

    def teardown(self) -> None:
        """Every review function, of everything there is."""
        self.review_sessions()
        self.compare(self.model.roles, "AssignedUsers", "AuthorizedUsers", "RolePermissions")
        self.compare(self.model.users, "AssignedRoles", "AuthorizedRoles", "UserPermissions")
        self.compare_holders()

    def compare(self, names: Any, *functions: str) -> None:
        for name in sorted(names):
            for function in functions:
                expected = REVIEWS[function](self.model, name)
                found = {product.stage.engine: product.review(function, name) for product in self.products}
                assert all(seen == expected for seen in found.values()), (
                    f"{function}({name}) is {expected}, {found}"
                )

    def compare_holders(self) -> None:
        """Who may do something: whoever could in a new session."""
        new = {user: self.model.run("CreateSession", user, "new", None) for user in self.model.users}
        for permission in PERMISSIONS:
            holding = {
                u for u, model in new.items() if permission in REVIEWS["SessionPermissions"](model, "new")
            }
            for product in self.products:
                assert product.review("PermissionHolders", permission) == holding, permission


def either(draw: Draw, likely: Any, otherwise: list[Any]) -> Any:
    """Mostly one of the likely ones, if there are any."""
    return draw(st.sampled_from(sorted(likely) if likely and draw(st.integers(0, 3)) else otherwise))


def a_session(machine: LockStep, draw: Draw) -> tuple[str, str]:
    """Whose and which, ended ones among them."""
    sessions = dict(machine.model.sessions)
    session = either(draw, sessions, [f"s{number}" for number in range(machine.begun + 1)])
    return sessions.get(session, "nobody"), session


def to_begin(machine: LockStep, draw: Draw) -> tuple[Any, ...] | None:
    user, model = either(draw, machine.model.users, USERS), machine.model
    if len(model.sessions) >= MOST_SESSIONS or user not in model.users | model.gone:
        return None  # a stranger's failures would count against the account, should it be made later
    pool = sorted(model.authorized_roles(user)) if draw(st.booleans()) else ROLES
    roles = draw(st.frozensets(st.sampled_from(pool), max_size=3)) if pool and draw(st.booleans()) else None
    return user, f"s{machine.begun + 1}", roles


def to_activate(machine: LockStep, draw: Draw) -> tuple[Any, ...]:
    user, session = a_session(machine, draw)
    return user, session, either(draw, machine.model.authorized_roles(user), ROLES)


def to_drop(machine: LockStep, draw: Draw) -> tuple[Any, ...]:
    user, session = a_session(machine, draw)
    return user, session, either(draw, {r for s, r in machine.model.active if s == session}, ROLES)


def two(*strategies: Any) -> Callable[[LockStep, Draw], tuple[Any, ...]]:
    return lambda machine, draw: tuple(draw(strategy) for strategy in strategies)


def pairs(relation: str, *strategies: Any) -> Callable[[LockStep, Draw], tuple[Any, ...]]:
    """Mostly of those there are."""

    def drawn(machine: LockStep, draw: Draw) -> tuple[Any, ...]:
        there = sorted(getattr(machine.model, relation))
        return tuple(
            draw(st.one_of(st.sampled_from(there), st.tuples(*strategies)))
            if there
            else draw(st.tuples(*strategies))
        )

    return drawn


DRAWN: dict[str, Callable[[LockStep, Draw], tuple[Any, ...] | None]] = {
    "AddUser": two(a_user),
    "DeleteUser": lambda machine, draw: (
        None if draw(st.integers(0, 2)) else (draw(a_user),)
    ),  # names do not come back
    "AddRole": two(a_role),
    "DeleteRole": two(a_role),
    "AssignUser": lambda machine, draw: (
        either(draw, machine.model.users, USERS),
        either(draw, machine.model.roles, ROLES),
    ),
    "DeassignUser": pairs("ua", a_user, a_role),
    "GrantPermission": two(a_permission, a_role),
    "RevokePermission": pairs("pa", a_permission, a_role),
    "CreateSession": to_begin,
    "DeleteSession": lambda machine, draw: a_session(machine, draw) if draw(st.booleans()) else None,
    "AddActiveRole": to_activate,
    "DropActiveRole": to_drop,
    "AddInheritance": two(a_role, a_role),
    "DeleteInheritance": pairs("rh", a_role, a_role),
    "AddAscendant": two(a_role, a_role),
    "AddDescendant": two(a_role, a_role),
    "CreateSet": lambda machine, draw: (
        *draw(st.sampled_from(SETS)),
        frozenset(
            {either(draw, machine.model.roles, ROLES) for _ in range(draw(st.integers(2, 3)))} or ROLES
        ),
        draw(st.sampled_from([1, 2, 2, 2, 2, 2, 3])),
    ),
    "DeleteSet": lambda machine, draw: either(draw, {row[:2] for row in machine.model.sets}, SETS),
}
