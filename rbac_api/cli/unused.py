"""``rbac-api unused``: permissions that were not used."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from rbac_api.capabilities.service_accounts.service import find_account_id
from rbac_api.capabilities.use.service import (
    UseWindow,
    list_role_unused,
    list_service_account_unused,
    list_user_unused,
)
from rbac_api.capabilities.users.service import find_user_id
from rbac_api.cli.group import operating
from rbac_api.cli.output import every_item, json_option, print_items, print_json
from rbac_api.formats.paging import Page, PageRequest
from rbac_api.guard.enforcement.clearance import Clearance

_COLUMNS = {
    "user": ("permission", "via", "last_used"),
    "service_account": ("permission", "via", "last_used"),
    "role": ("permission", "direct"),
}


@click.command("unused")
@click.option("--user", help="Username or id.")
@click.option("--service-account", help="Name or id.")
@click.option("--role", help="Name.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="First day that counts, in UTC, such as 2026-09-01; by default 90 days ago.",
)
@json_option
def unused(since: datetime | None, as_json: bool, **whose: str | None) -> None:
    """List permissions that a user, a service account or a role holds and that were not used.

    Give one of --user, --service-account and --role. The last line says since when uses are recorded: what
    was used before looks unused.
    """
    given = [(kind, name) for kind, name in whose.items() if name is not None]
    if len(given) != 1:
        raise click.UsageError("Give one of --user, --service-account and --role.")
    [(kind, name)] = given
    first = since.replace(tzinfo=UTC) if since else None
    with operating() as clearance:
        windows: list[UseWindow] = []
        items = every_item(lambda page: _page(clearance, (kind, name), first, page, windows))
    if as_json:
        print_json({"items": items, **windows[-1].to_json()})
        return
    rows = [{**item, "via": ", ".join(item.get("via", ()))} for item in items]
    print_items(rows, _COLUMNS[kind], as_json=False)
    click.echo(_about(windows[-1]), err=True)


def _page(
    clearance: Clearance,
    whose: tuple[str, str],
    since: datetime | None,
    page: PageRequest,
    windows: list[UseWindow],
) -> Page[Any]:
    kind, name = whose
    found: tuple[Page[Any], UseWindow]
    if kind == "user":
        found = list_user_unused(clearance, find_user_id(clearance, name), since, page)
    elif kind == "service_account":
        found = list_service_account_unused(clearance, find_account_id(clearance, name), since, page)
    else:
        found = list_role_unused(clearance, name, since, page)
    windows.append(found[1])
    return found[0]


def _about(window: UseWindow) -> str:
    recorded = f"{window.recorded:%Y-%m-%d}" if window.recorded else "never: no use is recorded"
    return f"Not used since {window.first:%Y-%m-%d} (UTC). Uses are recorded since {recorded}."
