"""Draws the role graph: a user on the left, then assigned roles, then what they inherit."""

from __future__ import annotations

from rbac_api import clock
from rbac_api.capabilities.role_graph.answers import GraphAssignmentAnswer, GraphRoleAnswer, RoleGraphAnswer
from rbac_api.decision.model import ROOT
from rbac_api.formats.diagram import Arrow, Diagram, Node, moment

USER = "user"
DASHED = "dashed: to be activated, or from a later time"


def diagram_of(answer: RoleGraphAnswer) -> Diagram:
    """The graph as a diagram."""
    user = answer["user"]
    nodes = [_role(role) for role in answer["roles"]]
    arrows = [
        Arrow(f"role {one['senior']}", f"role {one['junior']}", f"{one['senior']} inherits {one['junior']}")
        for one in answer["inheritance"]
    ]
    if user is None:
        return Diagram(f"{len(nodes)} roles and what they inherit", tuple(nodes), tuple(arrows))
    nodes.insert(0, Node(USER, "account", (user["username"],), f"User {user['username']}"))
    # one arrow for each role, from the assignment that begins first
    first = {held["role"]: held for held in reversed(answer["assignments"])}
    arrows = [_assigned(user["username"], held) for _, held in sorted(first.items())] + arrows
    note = DASHED if any(arrow.line == "dashed" for arrow in arrows) else ""
    title = f"What {user['username']} was assigned and inherits"
    return Diagram(title, tuple(nodes), tuple(arrows), note=note)


def _role(role: GraphRoleAnswer) -> Node:
    number = len(role["permissions"])
    held = f"{number} permission{'' if number == 1 else 's'}"
    factor = ("second factor",) if role["requires_mfa"] else ()
    title = f"Role {role['name']}: holds {held} directly" + (", requires a second factor" if factor else "")
    return Node(f"role {role['name']}", "role", (role["name"], held, *factor), title)


def _assigned(username: str, held: GraphAssignmentAnswer) -> Arrow:
    role, later = held["role"], held["starts_at"] > clock.now()
    words = f"{username} may activate {role}" if held["mode"] == "eligible" else f"{username} has {role}"
    if held["domain"] != ROOT:
        words += f" at {held['domain']}"
    if later:
        words += f" from {moment(held['starts_at'])}"
    if held["expires_at"] is not None:
        words += f" until {moment(held['expires_at'])}"
    dashed = later or held["mode"] == "eligible"
    return Arrow(USER, f"role {role}", words, "dashed" if dashed else "plain")
