"""Two tenants of one installation: what the administrator of one must neither change nor learn of the other, nor of ``root``.

``acme`` is administered by ``ada``, who has the role ``admin`` there: all permissions, ``rbac:escalate`` among them; and by ``lee``, who
manages users, roles and assignments there, and may hand out nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rbac_api import clock
from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.assignments.terms import Terms
from rbac_api.capabilities.constraints.service import create_constraint
from rbac_api.capabilities.domains.service import create_domain
from rbac_api.capabilities.roles.service import create_role, grant_permission
from rbac_api.capabilities.service_accounts.service import (
    assign_service_account_role,
    create_client_secret,
    create_service_account,
)
from rbac_api.capabilities.users.service import NewUser, add_user
from rbac_api.cli.prepare import operator_unit
from rbac_api.database.queries.subjects import list_assignments
from rbac_api.decision.domains import is_in, lineage
from rbac_api.guard.state.queries import find_role_graph
from tests.builders import Caller, Stage, cheap_hash
from tests.cast import PASSWORD
from tests.contract.operations import Operation, operations
from tests.patience import eventually

HOME, ADMINISTRATOR = "acme", "ada"
UNKNOWN = "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"
DOMAINS = ("acme", "acme.eu", "acme-eu", "globex")
PEOPLE = {
    "ada": "acme", "lee": "acme", "ann": "acme", "eve": "acme.eu", "amy": "acme", "gus-foreign": "globex", "rob-foreign": "root",
    "dot-foreign": "acme-eu", "nil-foreign": "globex",
}  # fmt: skip
FOREIGN_ROLES = ("manager-foreign@globex", "second-foreign@globex")
ROBOTS = {"robot-acme": "acme", "robot-foreign": "globex"}
# Who has which role where; amy is stronger elsewhere.
HELD = (
    ("ada", "admin", "acme"), ("lee", "role-manager", "acme"), ("ann", "clerk", "acme"), ("eve", "clerk", "acme.eu"),
    ("amy", "clerk", "globex"), ("gus-foreign", "admin", "globex"), ("rob-foreign", "auditor", "root"), ("dot-foreign", "clerk", "acme-eu"),
)  # fmt: skip
# No answer to the administrator has one of these words, unless the request had it.
FOREIGN = re.compile(r"[a-z]+-foreign|globex|acme-eu")
# Who asks about oneself may name any domain; an unknown one is 404.
ABOUT_ONESELF = ("logout", "get_my_access", "list_my_permissions")
VARYING = ("instance", "request_id", "decision_id")


@dataclass(frozen=True)
class Pair:
    """Two requests that differ in one name: of a foreign thing, and of none."""

    operation: Operation
    foreign: str
    unknown: str
    names: tuple[str, str]
    body: dict[str, Any] | None = None
    other: dict[str, Any] | None = None  # the body of the second request

    def __str__(self) -> str:
        return f"{self.operation.id} {self.foreign} {self.body or ''}"


SCENE = "two tenants"


def prepare(stage: Stage) -> None:
    """Put the tenants on the first scene, with a session of each person."""
    stage.reset()
    _prepare(stage)
    stage.keep(SCENE)


def restore(stage: Stage) -> None:
    """Put every row back, with the ids that it had, however long ago that was."""
    stage._put_back(SCENE)


def _prepare(stage: Stage) -> None:
    hashed = cheap_hash(stage.settings)
    with operator_unit(stage.settings, stage.database) as clearance:
        for domain in DOMAINS:
            create_domain(clearance, {"name": domain})
        for name in (
            "clerk",
            "manager-acme@acme",
            "second@acme",
            "manager-foreign@globex",
            "second-foreign@globex",
        ):
            create_role(clearance, {"name": name, "description": ""})
            grant_permission(clearance, name, "invoices:read")
        for rule, *some in (
            ("two@acme", "manager-acme@acme", "second@acme"),
            ("two-foreign@globex", *FOREIGN_ROLES),
        ):
            create_constraint(clearance, {"name": rule, "kind": "static", "roles": some, "limit": 2})
        ids = {
            name: add_user(
                clearance, NewUser(username=name, home=home, password_hash=hashed, password_final=True)
            ).id
            for name, home in PEOPLE.items()
        }
        for name, home in ROBOTS.items():
            robot, _ = create_service_account(clearance, name, None, home)
            assign_service_account_role(clearance, str(robot["id"]), "clerk", Terms(domain=home))
            create_client_secret(clearance, str(robot["id"]), None)
        for name, role, domain in HELD:
            assign_role(clearance, ids[name], role, Terms(domain=domain))
    for name in PEOPLE:
        signed_in(stage, name)


def elsewhere(stage: Stage) -> dict[str, Any]:
    """Everything that the administrator of ``acme`` must not change, straight from the rows."""
    accounts = stage.query(
        "SELECT id, username, status, home, password_hash, email, display_name FROM users ORDER BY id"
    )
    foreign = {row[0]: row[1:] for row in accounts if not is_in(row[3], HOME)}
    given = stage.query(
        "SELECT user_id, role_id, domain, valid_to FROM assignments ORDER BY user_id, role_id, domain, id"
    )
    return {
        "accounts": foreign,
        "assignments": [row for row in given if row[0] in foreign or not is_in(row[2], HOME)],
        "sessions": [
            row for row in stage.query("SELECT user_id, ended_at FROM sessions ORDER BY id") if row[0] in foreign
        ],
        "secrets": stage.query(
            "SELECT c.id, c.withdrawn_at FROM client_secrets c JOIN users u ON u.id = c.service_account_id"
            " WHERE u.home = 'globex' ORDER BY c.id"
        ),
        **{
            table: stage.query(f"SELECT * FROM {table} ORDER BY 1")
            for table in ("permissions", "signing_keys", "instance")
        },
        **{
            table: [row for row in stage.query(f"SELECT home, name, valid_to FROM {table} ORDER BY id") if not is_in(row[0], HOME)]
            for table in ("roles", "constraints")
        },
        **{
            table: [
                row
                for row in stage.query(
                    f"SELECT r.home, e.* FROM {table} e JOIN roles r ON r.id = e.{held_by} ORDER BY e.id"
                )
                if not is_in(row[0], HOME)
            ]
            for table, held_by in (("role_permissions", "role_id"), ("role_inheritance", "senior_id"))
        },
        "domains": [
            row for row in stage.query("SELECT name, valid_to FROM domains ORDER BY id") if not is_in(row[0], HOME)
        ],
    }  # fmt: skip


def granted(stage: Stage) -> dict[tuple[str, str], frozenset[str]]:
    """What each account is granted at each domain, by the assignments there."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    with stage.database.reading() as connection:
        graph = find_role_graph(connection)
        for user_id, name in stage.query("SELECT id, username FROM users"):
            for one in list_assignments(connection, text(user_id), clock.now()):
                found[name, one.domain] = found.get((name, one.domain), frozenset()) | graph.held_by(
                    (one.role,)
                )
    return found


def held_at(granted: dict[tuple[str, str], frozenset[str]], name: str, domain: str) -> frozenset[str]:
    """What an account is granted at a domain and above."""
    return frozenset().union(*(granted.get((name, at), frozenset()) for at in lineage(domain)))


def own_targets(stage: Stage) -> dict[str, list[str]]:
    """What each path parameter can be aimed at: one's own, and foreign ones."""
    people = [stage.user_id(name) for name in PEOPLE]
    return {
        "user_id": people,
        "account_id": [stage.user_id(name) for name in ROBOTS],
        "role": ["admin", "clerk", "manager-acme@acme", "manager-foreign@globex"],
        "junior": ["admin", "clerk", "manager-foreign@globex"],
        "domain": ["root", "acme", "acme.eu", "globex"],
        "permission": ["payments:release"],
        "constraint": ["two@acme", "two-foreign@globex"],
        "session_id": [text(found) for (found,) in stage.query("SELECT id FROM sessions ORDER BY id")],
        "secret_id": [text(found) for (found,) in stage.query("SELECT id FROM client_secrets ORDER BY id")],
        "incident_id": [UNKNOWN],
        "decision_id": [UNKNOWN],
        "kid": [str(found) for (found,) in stage.query("SELECT kid FROM signing_keys")],
        "seq": ["1"],
        "code": ["user.not_found"],
    }


def text(found: object) -> str:
    """An id as the API has it."""
    digits = str(found).replace("-", "")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def pairs(stage: Stage) -> Iterator[Pair]:
    """Every operation, with each thing that a path or an argument can name: a foreign one, and none."""
    mine = _mine(stage)
    foreign = _foreign(stage)
    for operation in operations(stage.app):
        if operation.public or operation.id in ABOUT_ONESELF:
            continue
        bodies = [operation.example()] if operation.body is not None else [None]
        for name in operation.parameters:
            for known, unknown in foreign.get(name, ()):
                paths = (operation.at({**mine, name: one}) + _needed(operation) for one in (known, unknown))
                yield from (Pair(operation, *paths, (known, unknown), body) for body in bodies)
        yield from _by_arguments(operation, mine, foreign)
        yield from _by_fields(operation, mine, foreign)


def _by_arguments(
    operation: Operation, mine: Mapping[str, str], foreign: Mapping[str, list[tuple[str, str]]]
) -> Iterator[Pair]:
    path = operation.at(mine)
    for parameter in operation.described.get("parameters", ()):
        if parameter.get("in") == "query":
            for known, unknown in foreign.get(ARGUMENTS.get(parameter["name"], ""), ()):
                first, second = (
                    f"{path}{_needed(operation) or '?'}&{parameter['name']}={one}" for one in (known, unknown)
                )
                yield Pair(operation, first, second, (known, unknown))


def _by_fields(
    operation: Operation, mine: Mapping[str, str], foreign: Mapping[str, list[tuple[str, str]]]
) -> Iterator[Pair]:
    example, path = operation.example() or {}, operation.at(mine)
    for name in example:
        for known, unknown in foreign.get(ARGUMENTS.get(name, ""), ()):
            first, second = ({**example, name: one} for one in (known, unknown))
            yield Pair(operation, path, path, (known, unknown), first, second)


# Which things an argument or a field of this name means.
ARGUMENTS = {
    "user": "user_id", "actor": "user_id", "assigned_by": "user_id", "target": "user_id", "role": "role", "home": "domain",
    "domain": "domain", "under": "domain", "session": "session_id",
}  # fmt: skip


def _needed(operation: Operation) -> str:
    if operation.id.endswith("_access") and operation.parameters:
        return "?permission=invoices:read"
    return ""


def _mine(stage: Stage) -> dict[str, str]:
    found = {name: some[0] for name, some in own_targets(stage).items()}
    return {
        **found,
        "user_id": stage.user_id("ann"),
        "role": "clerk",
        "domain": "acme",
        "permission": "invoices:read",
    }


def _foreign(stage: Stage) -> dict[str, list[tuple[str, str]]]:
    people = [name for name in PEOPLE if FOREIGN.search(name)]
    session = stage.query(
        "SELECT id FROM sessions WHERE user_id = (SELECT id FROM users WHERE username = 'gus-foreign')"
    )
    return {
        "user_id": [pair for name in people for pair in ((stage.user_id(name), UNKNOWN), (name, "nobody"))],
        "account_id": [(stage.user_id("robot-foreign"), UNKNOWN), ("robot-foreign", "nothing")],
        "role": [("manager-foreign@globex", "manager-unknown@globex")],
        "junior": [("manager-foreign@globex", "manager-unknown@globex")],
        "constraint": [("two-foreign@globex", "two-unknown@globex")],
        "domain": [("globex", "nowhere"), ("acme-eu", "acme-no")],
        "session_id": [(text(session[0][0]), UNKNOWN)],
    }  # fmt: skip


def shown(answer: Any, names: tuple[str, str]) -> tuple[Any, ...]:
    """What an answer shows, without the name that was asked for and what differs from request to request."""
    body = answer.json if answer.is_json else answer.text
    if isinstance(body, dict):
        body = {key: value for key, value in body.items() if key not in VARYING}
    said = json.dumps(body, sort_keys=True)
    for name in names:
        said = said.replace(name, "NAME")
    return answer.status_code, said, sorted(answer.headers.keys())


def administrator(stage: Stage, name: str = ADMINISTRATOR) -> Caller:
    """An administrator of ``acme``; ``alice`` is one everywhere, but not in a session at ``acme``."""
    return signed_in(stage, name, {"domain": HOME} if name == "alice" else {})


def signed_in(stage: Stage, name: str, more: Mapping[str, str] | None = None) -> Caller:
    """A caller with a session.  A busy server may need a second attempt: the scene was put back a moment ago."""
    caller = stage.caller()
    account = {"username": name, "password": PASSWORD, **(more or {})}
    answers: list[Any] = []

    def signs_in() -> bool:
        answers.append(caller.post("/v1/auth/login", json=account))
        return bool(answers[-1].status_code == 200)

    assert eventually(signs_in), answers[-1].text
    caller.tokens = answers[-1].json
    return caller


def unreadable_words(said: str, request: str) -> set[str]:
    """Foreign words in an answer that were not in the request."""
    return {word for word in FOREIGN.findall(said) if word not in request}
