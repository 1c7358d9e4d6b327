"""``rbac-api roles graph``: roles and what they inherit, as text or a picture."""

from __future__ import annotations

import click

from rbac_api.capabilities.role_graph.answers import RoleGraphAnswer, RoleGraphFilters
from rbac_api.capabilities.role_graph.pictures import diagram_of
from rbac_api.capabilities.role_graph.service import get_role_graph
from rbac_api.cli.group import operating
from rbac_api.cli.output import print_json
from rbac_api.cli.people import role_name
from rbac_api.formats.diagram import to_mermaid

FORMS = ("text", "mermaid", "svg", "json")


@click.group("roles")
def roles() -> None:
    """Show roles."""


@roles.command("graph")
@click.option(
    "--role", callback=role_name, help="Only this role, those that inherit it and what it inherits."
)
@click.option("--user", help="A user's id or username: only what the user was assigned and inherits.")
@click.option("--format", "form", type=click.Choice(FORMS), default="text", show_default=True)
def graph(role: str | None, user: str | None, form: str) -> None:
    """Show roles and what they inherit, at most 500 as a picture."""
    filters: RoleGraphFilters = {}
    if role is not None:
        filters["role"] = role
    if user is not None:
        filters["user"] = user
    with operating() as clearance:
        answer = get_role_graph(clearance, filters)
    if form == "json":
        print_json(answer)
    elif form == "mermaid":
        click.echo(to_mermaid(diagram_of(answer)), nl=False)
    elif form == "svg":
        from rbac_api.formats.svg import to_svg  # with the library: no other command needs it

        click.echo(to_svg(diagram_of(answer)), nl=False)
    else:
        for line in _text(answer):
            click.echo(line)


def _text(answer: RoleGraphAnswer) -> list[str]:
    """One line for each role, with what it inherits; first what the user was assigned."""
    juniors: dict[str, list[str]] = {role["name"]: [] for role in answer["roles"]}
    for one in answer["inheritance"]:
        juniors[one["senior"]].append(one["junior"])
    user = answer["user"]
    assigned = dict.fromkeys(held["role"] for held in answer["assignments"])
    lines = [f"{user['username']} → {', '.join(assigned) or 'no role'}"] if user else []
    lines += [f"{name} → {', '.join(below)}" if below else name for name, below in juniors.items()]
    return lines
