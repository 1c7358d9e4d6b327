"""What somebody with bad intentions would put into any writing operation there is: taken from the OpenAPI document, not from a list.

A path parameter or a body field that is not known here fails the tests that use this, until somebody says what hostility means for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any
from uuid import UUID

from rbac_api import clock
from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.domains.service import create_domain
from rbac_api.capabilities.roles.service import create_role, grant_permission, inherit_role
from rbac_api.capabilities.service_accounts.service import (
    assign_service_account_role,
    create_client_secret,
    create_service_account,
)
from rbac_api.cli.prepare import operator_unit
from rbac_api.database.queries.subjects import find_subject
from rbac_api.guard.state.queries import find_role_graph
from tests.builders import Caller, Stage
from tests.cast import ALICE, BOB, CAROL, DAVE, NEW_PASSWORD, PASSWORD, Character
from tests.contract.operations import Operation, operations

WEAK, STRONG = "invoice-clerk", "treasurer"  # a role of what Bob holds, and one of what he does not
MORE = {
    "delete_role": "force=true",
    "delete_permission": "force=true",
    "apply_policy": "prune=true",
}  # arguments that make it do more
FAR_AWAY = "2099-01-01T00:00:00Z"
# Who is not attacked this way, because it is no way to attack: what a person does to her own account with her own password.
OWN_AFFAIRS = {"logout", "change_my_password", "update_me", "end_my_session", "end_my_sessions", "drop_role"}
# The sections of a policy, each at its most tempting.
POLICIES: dict[str, list[Any]] = {
    "permissions": [[{"name": "users:read", "description": "Nothing."}], []],
    "roles": [
        [{"name": "role-manager", "permissions": ["payments:release", "rbac:escalate"]}],
        [{"name": WEAK, "inherits": ["admin"]}],
        [{"name": "auditor", "permissions": ["payments:release"]}],
        [],
    ],
    "constraints": [[]],
    "domains": [[], [{"name": "acme"}, {"name": "intrusion"}]],
    "assignments": [
        [{"user": "bob", "role": "admin"}],
        [{"user": "alice", "role": "admin", "expires_at": FAR_AWAY}],
        [],
    ],
}


@dataclass(frozen=True)
class Attempt:
    """One request."""

    operation: Operation
    path: str
    body: dict[str, Any] | None

    def __str__(self) -> str:
        return f"{self.operation.method} {self.path} {self.body or ''}"


@dataclass(frozen=True)
class Scene:
    """What everybody may; and the edges by which it hangs together: accounts, assignments, what each role is made of."""

    people: Mapping[str, frozenset[str]]
    accounts: Mapping[str, tuple[Any, ...]]
    roles: Mapping[str, tuple[frozenset[str], frozenset[str], bool]]

    def gained(self, later: Scene) -> frozenset[str]:
        """What anybody may later and might not before; whoever had every permission has new ones too, and gains nothing by that."""
        everything = frozenset[str]().union(*self.people.values())
        before = {name: self.people.get(name, frozenset()) for name in later.people}
        return frozenset[str]().union(
            *(held - before[name] for name, held in later.people.items() if before[name] != everything)
        )


def scene(stage: Stage) -> Scene:
    """The present one, straight from the rows."""
    people, accounts = {}, {}
    live = dict(stage.query("SELECT user_id, count(*) FROM sessions WHERE ended_at IS NULL GROUP BY user_id"))
    with stage.database.reading() as connection:
        graph = find_role_graph(connection)
        for row in stage.query("SELECT id, username, status, password_hash, email FROM users"):
            found = find_subject(connection, str(row[0]), clock.now())
            assert found is not None
            given = (*found[0].assignments, *found[0].elsewhere)  # at any domain
            people[row[1]] = graph.held_by(assignment.role for assignment in given)
            accounts[row[1]] = (
                *row[2:],
                live.get(row[0], 0),
                frozenset((a.role, a.ends, a.mode, a.domain) for a in given),
            )
    roles = {
        name: (role.permissions, graph.juniors[name], role.requires_mfa) for name, role in graph.roles.items()
    }
    return Scene(people, accounts, roles)


def prepare(stage: Stage) -> None:
    """On the first scene, give the roles something worth attacking, and Carol, who is stronger than Bob, a session."""
    stage.kept("hostile", lambda: _prepare(stage))


def _prepare(stage: Stage) -> None:
    with operator_unit(stage.settings, stage.database) as clearance:
        for role, permission in ((WEAK, "invoices:read"), (STRONG, "payments:release")):
            create_role(clearance, {"name": role, "description": "Worth having."})
            grant_permission(clearance, role, permission)
        for permission in ("policy:read", "policy:apply"):  # a whole document is the widest door there is
            grant_permission(clearance, "role-manager", permission)
        inherit_role(clearance, STRONG, WEAK)
        create_domain(clearance, {"name": "acme"})
        for person in (DAVE, CAROL):
            assign_role(clearance, stage.user_id(person), WEAK)
        for name, role in (("weak-robot", WEAK), ("strong-robot", "admin")):
            robot, _ = create_service_account(clearance, name, None)
            assign_service_account_role(clearance, robot["id"], role)
            create_client_secret(clearance, robot["id"], None)
    stage.as_(CAROL)


def attempts(stage: Stage, people: Sequence[Character] = (ALICE, BOB, CAROL, DAVE)) -> Iterator[Attempt]:
    """Every writing operation that asks for a permission, with every combination of targets and bodies."""
    yield from attempts_at(stage, _targets(stage, people))


def attempts_at(stage: Stage, targets: Mapping[str, list[str]]) -> Iterator[Attempt]:
    """The same at these targets, by the names of path parameters."""
    for operation in operations(stage.app):
        if (
            operation.writes
            and not operation.path.startswith("/access/")
            and not operation.public
            and operation.id not in OWN_AFFAIRS
        ):
            for names in product(*(targets[name] for name in operation.parameters)):
                path = operation.at(dict(zip(operation.parameters, names, strict=True)))
                more = MORE.get(operation.id)
                for address in (path, f"{path}?{more}") if more else (path,):
                    yield from (Attempt(operation, address, body) for body in bodies(operation))


def send(caller: Caller, attempt: Attempt) -> Any:
    """Make the attempt as well as it can be made: with the ETag, where one is asked for."""
    headers = {}
    if attempt.operation.conditional:
        headers = {
            "If-Match": caller.get(attempt.path.partition("?")[0].removesuffix("/apply")).headers.get(
                "ETag", '"none"'
            )
        }
    return caller.call(attempt.operation.method, attempt.path, json=attempt.body, headers=headers)


def _targets(stage: Stage, people: Sequence[Character]) -> dict[str, list[str]]:
    """Whom or what each path parameter could be aimed at."""
    sessions = _ids(stage, "sessions")
    return {
        "user_id": [stage.user_id(person) for person in people],
        "role": ["admin", "auditor", "role-manager", WEAK, STRONG],
        "junior": ["admin", WEAK, STRONG],
        "constraint": ["nobodys-rule"],
        "domain": ["root", "acme", "globex"],
        "home": ["root", "acme", "globex"],
        "permission": ["payments:release", "rbac:escalate", "invoices:read"],
        "session_id": sessions,
        "incident_id": [stage.user_id(BOB)],  # nobody's
        "kid": [str(found) for (found,) in stage.query("SELECT kid FROM signing_keys")],
        "account_id": _ids(stage, "service_accounts"),
        "secret_id": _ids(stage, "client_secrets"),
    }


def _ids(stage: Stage, table: str) -> list[str]:
    return [str(UUID(str(found))) for (found,) in stage.query(f"SELECT id FROM {table}")]


def bodies(operation: Operation) -> Iterator[dict[str, Any] | None]:
    """The example, and the example with each field at its most tempting."""
    example = operation.example()
    yield example
    tempting: dict[str, list[Any]] = {
        "permissions": [["payments:release"], ["rbac:escalate", "audit:read"]],
        "status": ["active", "disabled"],
        "name": [],
        "username": [],
        "email": ["stolen@example.com"],
        "display_name": [],
        "title": [],
        "emergency": [True, False],
        "description": [],
        "reason": [],
        "starts_at": [FAR_AWAY],
        "expires_at": [FAR_AWAY],
        "mode": ["active", "eligible"],
        "max_duration": [86400],
        "duration": [86400],
        "code": ["000000"],
        "requires_mfa": [True, False],
        "filter": [{"user": "alice"}, {"user": "carol"}],
        "expected_count": [],
        "dry_run": [],
        "seq": [1, 10],
        "kind": [],
        "roles": [[WEAK, STRONG]],
        "limit": [],
        "password": [PASSWORD, NEW_PASSWORD],
        "current_password": [PASSWORD],
        "domain": ["root", "acme"],
        "home": ["root", "acme"],
    }
    if operation.id in ("apply_policy", "plan_policy"):
        tempting = POLICIES
    for field in example or {}:
        yield from ({**(example or {}), field: value} for value in tempting[field])
