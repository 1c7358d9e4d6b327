"""``rbac-api can``, ``explain`` and ``who-can``: who may do what, and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypedDict, TypeVar, Unpack

import click
import marshmallow as ma

from rbac_api.capabilities.access.answers import AccessAnswer, StepAnswer
from rbac_api.capabilities.access.service import (
    Circumstances,
    get_service_account_access,
    get_user_access,
    list_permission_holders,
    page_of_accounts,
)
from rbac_api.capabilities.service_accounts.errors import ServiceAccountNotFound
from rbac_api.capabilities.service_accounts.service import find_account_id
from rbac_api.capabilities.users.errors import UserNotFound
from rbac_api.capabilities.users.service import find_user_id
from rbac_api.cli.group import operating
from rbac_api.cli.output import every_item, json_option, print_items, print_json, shown
from rbac_api.decision.model import ROOT
from rbac_api.decision.naming import DOMAIN, PERMISSION
from rbac_api.formats.as_of import future
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.web.fields import Moment

DENIED = 3  # exit code; 1 is an error
_HOLDER_COLUMNS = ("user.username", "kind", "via", "mode", "expires_at")
C = TypeVar("C", bound=Callable[..., object])


class Asked(TypedDict):
    """What every question takes besides the permission."""

    at: datetime | None
    domain: str


def past(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    """Accepts a time in the past; the usage error is the same sentence as in the API."""
    if value is None:
        return None
    try:
        moment: datetime = Moment().deserialize(value)
    except ma.ValidationError as fault:
        raise click.BadParameter(str(fault.messages[0])) from fault
    if faults := list(future("at", moment)):
        raise click.BadParameter(faults[0].detail)
    return moment


def permission_name(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """Accepts a permission's name; the usage error is the same sentence as in the API."""
    if problem := PERMISSION.problem(value):
        raise click.BadParameter(problem)
    return value


def domain_name(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """Accepts a domain's name; the usage error is the same sentence as in the API."""
    if problem := DOMAIN.problem(value):
        raise click.BadParameter(problem)
    return value


def asking(command: C) -> C:
    """Add what every question takes."""
    permission = click.argument("permission", callback=permission_name)
    at = click.option("--at", callback=past, help="As of this past time, for instance 2026-11-22T17:00:00Z.")
    where = "At this domain. Default: root, which counts everywhere."
    domain = click.option("--domain", callback=domain_name, default=ROOT, help=where)
    return permission(at(domain(json_option(command))))


@click.command("can")
@click.argument("user")
@asking
@click.pass_context
def can(context: click.Context, user: str, permission: str, *, as_json: bool, **asked: Unpack[Asked]) -> None:
    """Say whether USER may do what PERMISSION names.

    USER is the name or id of a user or service account. Exit code 0: yes; 3: no. Evaluated as in a new
    session with a second factor, where the account can have one.
    """
    with operating() as clearance:
        found = _access(clearance, user, permission, Circumstances(**asked))
    if as_json:
        print_json(found)
    else:
        because = "; ".join(shown(reason["detail"]) for reason in found["because"])
        click.echo("yes" if found["decision"] else f"no: {because}")
    context.exit(0 if found["decision"] else DENIED)


@click.command("explain")
@click.argument("user")
@asking
def explain(user: str, permission: str, *, as_json: bool, **asked: Unpack[Asked]) -> None:
    """Explain why USER may do what PERMISSION names, or why not.

    Every path that grants it, or what prevents it and the smallest roles that would grant it.
    """
    with operating() as clearance:
        found = _access(clearance, user, permission, Circumstances(**asked))
    if as_json:
        print_json(found)
        return
    click.echo("yes" if found["decision"] else "no")
    for path in found["paths"]:
        click.echo("- " + "; ".join(_in_words(step) for step in path))
    for reason in found["because"]:
        click.echo(f"- {shown(reason['detail'])}")
    if found["nearest"]:
        click.echo(f"It would be granted by: {', '.join(found['nearest'])}")
    if found["truncated"]:
        click.echo("There are more than listed.")


@click.command("who-can")
@click.option("--eligible", is_flag=True, help="Also those who would first have to activate a role.")
@asking
def who_can(permission: str, *, eligible: bool, as_json: bool, **asked: Unpack[Asked]) -> None:
    """List the users and service accounts that may do what PERMISSION names, by name."""
    with operating() as clearance:
        listing = list_permission_holders(clearance, permission, Circumstances(**asked), eligible=eligible)
        items = every_item(lambda page: page_of_accounts(clearance, listing, page))
    if as_json:
        print_json(items)
    else:
        rows = [{**item, "via": ", ".join(item["via"])} for item in items]
        print_items(rows, _HOLDER_COLUMNS, as_json=False)


def _access(clearance: Clearance, account: str, permission: str, asked: Circumstances) -> AccessAnswer:
    """The answer about a user or, where there is no such user, about a service account."""
    try:
        return get_user_access(clearance, find_user_id(clearance, account), permission, asked)
    except UserNotFound:
        try:
            account_id = find_account_id(clearance, account)
            return get_service_account_access(clearance, account_id, permission, asked)
        except ServiceAccountNotFound as fault:
            then = " at that time" if asked.at else ""
            raise click.ClickException(
                f"There is no user or service account {shown(account)}{then}. See `rbac-api users list`."
            ) from fault


def _in_words(step: StepAnswer) -> str:
    """One step of a path as a sentence."""
    if step["kind"] == "inherits":
        return f"{step['role']} inherits {step['junior']}"
    if step["kind"] == "permission":
        return f"{step['role']} holds {step['permission']}"
    who = shown(step["who"]["username"]) if step["who"] else "the system or the command line"
    reason = f' for "{shown(step["why"])}"' if step["why"] else ""
    until = f", until {shown(step['until'])}" if step["until"] else ""
    mode = "" if step["mode"] == "active" else f" ({step['mode']})"
    at = "" if step["domain"] == ROOT else f" at {step['domain']}"
    return f"{step['role']}{at}{mode} was assigned by {who} at {shown(step['when'])}{reason}{until}"
