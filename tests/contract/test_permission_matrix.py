"""The golden permission matrix: every operation for everybody, reviewed as text.

A change of who may do what shows up here as a changed line of ``permission_matrix.txt``.  To write the file anew, and then read the
difference:

    RBAC_WRITE_MATRIX=1 .venv/bin/python -m pytest tests/contract/test_permission_matrix.py
"""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import time_machine

from rbac_api import clock
from tests.builders import Caller, Stage
from tests.cast import ALICE, BOB, CAROL, DAVE, PASSWORD
from tests.contract.operations import Operation, operations

MATRIX = Path(__file__).with_name("permission_matrix.txt")
WRITE = "RBAC_WRITE_MATRIX" in os.environ
NOWHERE = "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"
# Addresses of nothing: whoever is let in then meets 404, 422 or 428, and nothing is changed by asking.
NOTHING = {
    "user_id": NOWHERE, "session_id": NOWHERE, "account_id": NOWHERE, "secret_id": NOWHERE, "incident_id": NOWHERE, "decision_id": NOWHERE,
    "role": "nothing", "constraint": "nothing", "junior": "nobody", "permission": "no:thing", "domain": "nowhere", "seq": "999999999",
    "code": "no.thing", "kid": "nothing",
}  # fmt: skip

# They need not be told anything: an argument that they do not know keeps them, behind the guard, from doing it.
HASTY = {"end_my_sessions", "enrol_totp", "rotate_keys"}


def anonymous(stage: Stage) -> Caller:
    return stage.caller()


def expired(stage: Stage) -> Caller:
    """Alice, with an access token whose time is up."""
    with time_machine.travel(clock.now() - timedelta(minutes=15), tick=False):
        return stage.as_(ALICE)


def revoked(stage: Stage) -> Caller:
    """Alice, signed out."""
    caller = stage.as_(ALICE)
    caller.post("/v1/auth/logout")
    return caller


def administrator(stage: Stage, username: str) -> str:
    """A further administrator, whose password Alice chose; her address."""
    alice = stage.as_(ALICE)
    path: str = alice.post("/v1/users", json={"username": username, "password": PASSWORD}).headers["Location"]
    alice.put(f"{path}/roles/admin")
    return path


def disabled(stage: Stage) -> Caller:
    """An administrator who was disabled after she signed in."""
    path = administrator(stage, "erin")
    caller = stage.as_("erin")
    stage.as_(ALICE).patch_now(path, {"status": "disabled"})
    return caller


def temporary(stage: Stage) -> Caller:
    """An administrator who has not yet replaced the password that somebody else chose."""
    administrator(stage, "frank")
    return stage.as_("frank")


COLUMNS: dict[str, Callable[[Stage], Caller]] = {
    "anonymous": anonymous,
    "expired": expired,
    "revoked": revoked,
    "disabled": disabled,
    "temporary": temporary,
    "dave": lambda stage: stage.as_(DAVE),
    "carol": lambda stage: stage.as_(CAROL),
    "bob": lambda stage: stage.as_(BOB),
    "alice": lambda stage: stage.as_(ALICE),
}


def cell(caller: Caller, operation: Operation) -> str:
    """``yes``, or the status with which the guard refused."""
    hasty = "?nothing=1" if operation.id in HASTY else ""
    answer = caller.call(operation.method, operation.at(NOTHING) + hasty)
    code = "token." if operation.own_form else (answer.json or {}).get("code", "")
    if answer.status_code == 401 and code.startswith("token."):
        return "yes" if operation.public else "401"
    return "403" if answer.status_code == 403 else "yes"


def matrix(stage: Stage) -> str:
    """A line per operation, a column per person."""
    callers = {name: make(stage) for name, make in COLUMNS.items()}
    found = sorted(
        operations(stage.app), key=lambda operation: operation.id == "logout"
    )  # which ends what it is asked with
    cells = {operation.id: [cell(caller, operation) for caller in callers.values()] for operation in found}
    lines = [f"{'operation':<28}{'permission':<24}" + "".join(f"{name:<11}" for name in callers)]
    for operation in sorted(found, key=lambda operation: (operation.path, operation.method)):
        permission = "public" if operation.public else operation.permission or "signed in"
        lines.append(
            f"{operation.id:<28}{permission:<24}" + "".join(f"{text:<11}" for text in cells[operation.id])
        )
    return "\n".join(line.rstrip() for line in lines) + "\n"


def test_who_may_do_what_is_what_was_reviewed(stage: Stage) -> None:
    present = matrix(stage)

    if WRITE:
        MATRIX.write_text(present, encoding="utf-8")
    assert present == MATRIX.read_text(encoding="utf-8"), (
        "read the difference, then write the file anew (see above)"
    )


def test_asking_changes_nothing(stage: Stage) -> None:
    before = stage.query("SELECT count(*) FROM users"), stage.query("SELECT count(*) FROM roles")
    alice = stage.as_(ALICE)

    for operation in operations(stage.app):
        if operation.id != "logout":
            cell(alice, operation)

    assert (stage.query("SELECT count(*) FROM users"), stage.query("SELECT count(*) FROM roles")) == before
    actions = {event["action"] for event in stage.events()[-60:] if event["actor_name"] == "alice"}
    assert actions <= {"signin.succeeded", "audit.read"}
