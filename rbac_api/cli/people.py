"""``rbac-api users …`` and ``rbac-api sessions …``."""

from __future__ import annotations

from uuid import UUID

import click

from rbac_api.capabilities.sessions.answers import SessionFilters
from rbac_api.capabilities.sessions.errors import SessionNotFound
from rbac_api.capabilities.sessions.service import end_session, get_session, list_sessions
from rbac_api.capabilities.users.answers import UserFilters
from rbac_api.capabilities.users.listing import list_users
from rbac_api.capabilities.users.service import change_status, find_person, unlock_user
from rbac_api.cli.group import operating
from rbac_api.cli.output import every_item, json_option, print_items, print_json
from rbac_api.decision.naming import ROLE

_USER_COLUMNS = ("username", "status", "display_name", "email", "last_login_at", "id")
_SESSION_COLUMNS = (
    "id",
    "user.username",
    "state",
    "created_at",
    "last_seen_at",
    "ip",
    "client_id",
    "end_reason",
)


def role_name(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Accepts a role's name; the usage error is the same sentence as in the API."""
    if value is not None and (problem := ROLE.problem(value)):
        raise click.BadParameter(problem)
    return value


@click.group("users")
def users() -> None:
    """List, disable and unlock users."""


@users.command("list")
@click.option("--status", type=click.Choice(["active", "disabled", "deleted"]), help="Default: not deleted.")
@click.option("--role", callback=role_name, help="Only those who effectively hold this role.")
@json_option
def list_users_(status: str | None, role: str | None, as_json: bool) -> None:
    """List users by name."""
    filters: UserFilters = {"status": status, "role": role}
    with operating() as clearance:
        items = every_item(lambda page: list_users(clearance, filters, page))
    print_items(items, _USER_COLUMNS, as_json=as_json)


@users.command("disable")
@click.argument("username")
@json_option
def disable_user(username: str, as_json: bool) -> None:
    """Disable USERNAME and end all sessions of the user.

    Refused for the last administrator who can sign in.
    """
    with operating(writes=True) as clearance:
        user = find_person(clearance, username)
        changed = change_status(clearance, user.id, "disabled")
    answer = {"id": user.id, "username": user.username, "status": "disabled", "changed": changed}
    outcome = "is now disabled; all sessions of the user have ended." if changed else "was already disabled."
    _report(answer, f"{user.username} {outcome}", as_json=as_json)


@users.command("unlock")
@click.argument("username")
@json_option
def unlock_user_(username: str, as_json: bool) -> None:
    """Let USERNAME sign in again at once after too many failed sign-ins."""
    with operating(writes=True) as clearance:
        user = find_person(clearance, username)
        changed = unlock_user(clearance, user.id)
    answer = {"id": user.id, "username": user.username, "changed": changed}
    outcome = "may sign in again." if changed else "was not locked."
    _report(answer, f"{user.username} {outcome}", as_json=as_json)


@click.group("sessions")
def sessions() -> None:
    """List and revoke sessions."""


@sessions.command("list")
@click.option("--user", help="Username or id.")
@click.option("--state", type=click.Choice(["active", "ended", "all"]), default="active", show_default=True)
@json_option
def list_sessions_(user: str | None, state: str, as_json: bool) -> None:
    """List sessions, newest first."""
    filters: SessionFilters = {"user": user, "state": state}
    with operating() as clearance:
        items = every_item(lambda page: list_sessions(clearance, filters, page))
    print_items(items, _SESSION_COLUMNS, as_json=as_json)


@sessions.command("revoke")
@click.argument("session_id", type=click.UUID)
@json_option
def revoke_session(session_id: UUID, as_json: bool) -> None:
    """End the session SESSION_ID: its tokens are refused from the next request on."""
    try:
        with operating(writes=True) as clearance:
            session = get_session(clearance, str(session_id))
            end_session(clearance, session["id"])
    except SessionNotFound as fault:
        raise click.ClickException(
            "There is no session with this id. See `rbac-api sessions list`."
        ) from fault
    changed = session["state"] == "active"
    outcome = "has ended." if changed else "had already ended."
    answer = {"id": session["id"], "username": session["user"]["username"], "changed": changed}
    _report(answer, f"The session of {answer['username']} {outcome}", as_json=as_json)


def _report(answer: dict[str, object], sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        click.echo(sentence)
