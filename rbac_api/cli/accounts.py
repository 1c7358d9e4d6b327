"""``rbac-api create-admin`` and ``recover-admin``: administrators from the command line."""

from __future__ import annotations

import secrets
from contextlib import suppress

import click

from rbac_api.capabilities.assignments.service import Terms, assign_role
from rbac_api.capabilities.attempts.service import clear_failures
from rbac_api.capabilities.passwords.service import require_good_password
from rbac_api.capabilities.second_factor.errors import TotpNotFound
from rbac_api.capabilities.users.service import (
    change_status,
    drop_second_factor,
    find_person,
    require_good_name,
    reset_password,
    restore_access,
)
from rbac_api.cli.group import operating, parts, ready_parts
from rbac_api.cli.output import json_option, print_json
from rbac_api.cli.prepare import create_administrator, hash_password
from rbac_api.database.queries.users import UserRow
from rbac_api.decision.evaluate import ADMIN
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.trail.recorder import Target

RECOVERED = Terms(
    reason="recovered by the operator", mode="active", cleared=frozenset({"starts_at", "expires_at"})
)


@click.command("create-admin")
@click.argument("username")
@click.option("--ask-password", is_flag=True, help="Ask for the password at the terminal.")
@json_option
def create_admin(username: str, ask_password: bool, as_json: bool) -> None:
    """Create an administrator named USERNAME.

    The password is asked for (--ask-password) or taken from RBAC_ADMIN_PASSWORD or RBAC_ADMIN_PASSWORD_FILE,
    and is then final; otherwise a one-time password is generated and shown once.
    """
    require_good_name(username)
    settings, _ = parts()
    given = _asked() if ask_password else settings.admin_password
    if given:
        require_good_password(given, username, pointer="/password")
    password = given or secrets.token_urlsafe(18)
    hashed = hash_password(settings, password)
    with operating(writes=True) as clearance:
        create_administrator(
            clearance, username, hashed, final=bool(given), reason="created at the command line"
        )
    shown = None if given else password
    _report({"username": username, "one_time_password": shown}, as_json=as_json, given=bool(given))


@click.command("recover-admin")
@click.argument("username")
@click.option("--setup-token", is_flag=True, help="Issue a single-use setup token instead of a password.")
@json_option
def recover_admin(username: str, setup_token: bool, as_json: bool) -> None:
    """Make USERNAME an administrator who can sign in.

    Enables the account, assigns the role admin, lifts a lock after failed sign-ins, removes the second
    factor, ends all sessions, and shows a one-time password (with --setup-token, which needs another
    administrator who can sign in, a setup token).
    """
    settings, _ = ready_parts()
    password = secrets.token_urlsafe(18)
    hashed = None if setup_token else hash_password(settings, password)
    with operating(writes=True) as clearance:
        user = find_person(clearance, username)
        change_status(clearance, user.id, "active")
        assign_role(clearance, user.id, ADMIN, RECOVERED)
        clear_failures(clearance.connection, clearance.settings, user.username)
        with suppress(TotpNotFound):
            drop_second_factor(clearance, user.id)
        answer = {"username": user.username, **_way_in(clearance, user, password, hashed)}
    _report(answer, as_json=as_json)


def _way_in(clearance: Clearance, user: UserRow, password: str, hashed: str | None) -> dict[str, object]:
    if hashed is not None:
        restore_access(clearance, user.id, hashed)
        return {"one_time_password": password}
    issued = reset_password(clearance, user.id)
    clearance.record("admin.recovered", Target("user", user.id, user.username, user.home))
    return {"setup_token": issued["token"], "expires_at": issued["expires_at"]}


def _asked() -> str:
    found: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return found


def _report(answer: dict[str, object], *, as_json: bool, given: bool = False) -> None:
    if as_json:
        print_json(answer)
        return
    click.echo(f"Administrator: {answer['username']}" + (", with the password you gave." if given else ""))
    if answer.get("one_time_password"):
        click.echo(f"One-time password: {answer['one_time_password']}")
        click.echo("It is shown only once; after signing in, it must be changed.")
    if "setup_token" in answer:
        click.echo(f"Setup token: {answer['setup_token']}")
        click.echo("It is shown only once; use it with POST /v1/auth/password-setup.")
