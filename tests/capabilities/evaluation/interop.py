"""The interoperability scenarios of the OpenID AuthZEN working group, in tables: ``todo`` and ``search``.

Source: https://github.com/openid/authzen.  In ``interop/authzen-todo-backend/test``: ``decisions-authorization-api-1_0-00.json`` (40
evaluations) and ``decisions-1.1-preview.json`` (3 batches).  In ``interop/authzen-search-demo``: ``data/users.json``, ``data/records.json``
and the results below ``test``.  A published request names the owner of a resource; here it also names a domain for each owner.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.assignments.terms import Terms
from rbac_api.capabilities.domains.service import create_domain
from rbac_api.capabilities.permissions.service import create_permission
from rbac_api.capabilities.roles.service import create_role, grant_permission, inherit_role
from rbac_api.capabilities.users.service import NewUser, add_user
from rbac_api.cli.prepare import operator_unit
from tests.builders import Stage, cheap_hash

RICK, MORTY = "rick@the-citadel.com", "morty@the-citadel.com"
SUMMER, BETH, JERRY = "summer@the-smiths.com", "beth@the-smiths.com", "jerry@the-smiths.com"
TODO = "7240d0db-8ff0-41ec-98b2-34a096273b9f"
ACTIONS = (
    "can_read_user", "can_read_user", "can_read_todos", "can_create_todo",
    "can_update_todo", "can_update_todo", "can_delete_todo", "can_delete_todo",
)  # fmt: skip
# Each user's eight published decisions, in the order of ACTIONS: about Beth, about oneself, about ``todo-1`` twice; then about a todo of
# Rick's and one of the user's own, twice.  Rick is asked about his own and Morty's.
PUBLISHED = {
    RICK: "TTTTTTTT", MORTY: "TTTTFTFT", SUMMER: "TTTTFTFT", BETH: "TTTFFFFF", JERRY: "TTTFFFFF",
}  # fmt: skip
BATCHES = ((RICK, (RICK, JERRY), "TT"), (MORTY, (RICK, MORTY), "FT"), (JERRY, (RICK, JERRY), "FF"))
TODO_ROLES: dict[str, tuple[str, ...]] = {
    "todo-viewer": ("user:can_read_user", "todo:can_read_todos"),
    "todo-creator": ("todo:can_create_todo",),
    "todo-owner": ("todo:can_update_todo", "todo:can_delete_todo"),
    "todo-admin": ("todo:can_create_todo", "todo:can_delete_todo"),
    "evil-genius": ("todo:can_update_todo",),
}
# The scenario's roles: everybody is a viewer; an editor owns what is in a domain; the rest counts everywhere.
TODO_HELD = {
    RICK: ("todo-admin", "evil-genius"), MORTY: ("todo-creator", "todo-owner"), SUMMER: ("todo-creator", "todo-owner"), BETH: (), JERRY: (),
}  # fmt: skip

DEPARTMENTS = {
    "alice": "sales", "bob": "legal", "carol": "legal", "dan": "finance", "erin": "finance", "felix": "accounting",
}  # fmt: skip
MANAGERS = ("alice", "dan")
RECORDS = {  # the department and the owner of each; the domain is both
    101: "legal.alice", 102: "legal.bob", 103: "legal.carol", 104: "accounting.dan", 105: "legal.erin",
    106: "accounting.felix", 107: "sales.alice", 108: "legal.bob", 109: "accounting.carol", 110: "sales.dan",
    111: "accounting.erin", 112: "legal.felix", 113: "sales.alice", 114: "accounting.bob", 115: "finance.carol",
    116: "legal.dan", 117: "legal.erin", 118: "accounting.felix", 119: "legal.alice", 120: "accounting.bob",
}  # fmt: skip
ALL = set(RECORDS)
# The published results of the search for resources.  Those for subjects and for actions are the same relation from its other sides.
FOUND = {
    ("alice", "view"): ALL, ("alice", "edit"): {101, 107, 110, 113, 119}, ("alice", "delete"): {101, 107, 113, 119},
    ("bob", "view"): {101, 102, 103, 105, 108, 112, 114, 116, 117, 119, 120},
    ("bob", "edit"): {102, 108, 114, 120}, ("bob", "delete"): {102, 108, 114, 120},
    ("carol", "view"): {101, 102, 103, 105, 108, 109, 112, 115, 116, 117, 119},
    ("carol", "edit"): {103, 109, 115}, ("carol", "delete"): {103, 109, 115},
    ("dan", "view"): ALL, ("dan", "edit"): {104, 110, 115, 116}, ("dan", "delete"): {104, 110, 116},
    ("erin", "view"): {105, 111, 115, 117}, ("erin", "edit"): {105, 111, 117}, ("erin", "delete"): {105, 111, 117},
    ("felix", "view"): {104, 106, 109, 111, 112, 114, 118, 120},
    ("felix", "edit"): {106, 112, 118}, ("felix", "delete"): {106, 112, 118},
}  # fmt: skip
RECORD_ROLES: dict[str, tuple[str, ...]] = {
    "record-viewer": ("record:view",),
    "record-editor": ("record:edit",),
    "record-owner": ("record:delete",),
}
JUNIORS = (("record-editor", "record-viewer"), ("record-owner", "record-editor"))


def owned_by(user: str) -> str:
    """The domain of what the user owns."""
    return user.replace("@", "-").replace(".", "-")


def account(name: str) -> str:
    """The username of a person of the search scenario; the stage has an alice of its own."""
    return f"{name}@records.example"


def prepare_todo(stage: Stage) -> None:
    """The five users of the todo application, with a domain for each."""
    held = [(user, "todo-viewer", "root") for user in TODO_HELD]
    for user, roles in TODO_HELD.items():
        held += [(user, role, owned_by(user) if role == "todo-owner" else "root") for role in roles]
    _prepare(stage, TODO_ROLES, [owned_by(user) for user in TODO_HELD], list(TODO_HELD), held)


def prepare_records(stage: Stage) -> None:
    """The six users of the search demonstration: each department is a domain, with one for each owner in it."""
    held = [(account(name), "record-viewer", at) for name, at in DEPARTMENTS.items()]
    for name in MANAGERS:
        held += [
            (account(name), "record-viewer", "root"),
            (account(name), "record-editor", DEPARTMENTS[name]),
        ]
    held += [(account(at.partition(".")[2]), "record-owner", at) for at in sorted(set(RECORDS.values()))]
    domains = [*sorted(set(DEPARTMENTS.values())), *sorted(set(RECORDS.values()))]
    _prepare(stage, RECORD_ROLES, domains, list(map(account, DEPARTMENTS)), held, JUNIORS)


def _prepare(stage: Stage, roles: dict[str, tuple[str, ...]], domains: list[str], *rest: Any) -> None:
    users, held, *juniors = rest
    with operator_unit(stage.settings, stage.database) as clearance:
        for permission in sorted({one for some in roles.values() for one in some}):
            create_permission(clearance, permission, "Of an interoperability scenario.")
        for role, permissions in roles.items():
            create_role(clearance, {"name": role})
            for permission in permissions:
                grant_permission(clearance, role, permission)
        for senior, junior in juniors[0] if juniors else ():
            inherit_role(clearance, senior, junior)
        for domain in domains:
            create_domain(clearance, {"name": domain})
        ids = {
            name: add_user(
                clearance,
                NewUser(username=name, password_hash=cheap_hash(stage.settings), password_final=True),
            ).id
            for name in users
        }
        for user, role, domain in held:
            assign_role(clearance, ids[user], role, Terms(domain=domain))


def todo_requests() -> Iterator[tuple[dict[str, Any], bool]]:
    """The published evaluations, each with its published decision."""
    for user, decisions in PUBLISHED.items():
        owner = MORTY if user == RICK else user
        resources = (
            {"type": "user", "id": BETH}, {"type": "user", "id": user}, *[{"type": "todo", "id": "todo-1"}] * 2,
            *[todo_of(RICK), todo_of(owner)] * 2,
        )  # fmt: skip
        for action, resource, decision in zip(ACTIONS, resources, decisions, strict=True):
            subject = {"type": "user", "id": user}
            yield {"subject": subject, "action": {"name": action}, "resource": resource}, decision == "T"


def todo_of(owner: str) -> dict[str, Any]:
    """A todo as the application sends it: with its owner, and with the owner's domain."""
    return {"type": "todo", "id": TODO, "properties": {"ownerID": owner, "domain": owned_by(owner)}}


def record(number: int) -> dict[str, Any]:
    """A record as the application sends it."""
    return {"type": "record", "id": str(number), "properties": {"domain": RECORDS[number]}}
