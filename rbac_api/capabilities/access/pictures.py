"""Draws an explanation: every path from an account to a permission, or what is in the way."""

from __future__ import annotations

from rbac_api.capabilities.access.answers import AccessAnswer, StepAnswer
from rbac_api.decision.model import ROOT
from rbac_api.formats.diagram import Arrow, Diagram, Node, moment

ACCOUNT, PERMISSION = "account", "permission"


def diagram_of(username: str, permission: str, answer: AccessAnswer) -> Diagram:
    """The paths as a diagram; without a path the reasons why there is none."""
    verb = "may" if answer["decision"] else "may not"
    nodes = {ACCOUNT: Node(ACCOUNT, "account", (username,), f"User {username}")}
    arrows: dict[tuple[str, str], Arrow] = {}
    for path in answer["paths"]:
        for step in path:
            node, arrow = _step(username, step)
            nodes.setdefault(node.id, node)
            arrows.setdefault((arrow.source, arrow.target), arrow)
    if not answer["decision"]:
        for number, reason in enumerate(answer["because"]):
            name = f"reason {number}"
            nodes[name] = Node(name, "end", (reason["code"],), reason["detail"])
            arrows[ACCOUNT, name] = Arrow(ACCOUNT, name, reason["detail"])
            arrows[name, PERMISSION] = Arrow(name, PERMISSION, reason["detail"], "dashed")
    nodes[PERMISSION] = Node(PERMISSION, "permission", (permission,), f"Permission {permission}")
    return Diagram(f"{username} {verb} {permission}", tuple(nodes.values()), tuple(arrows.values()))


def _step(username: str, step: StepAnswer) -> tuple[Node, Arrow]:
    role = f"role {step['role']}"
    if step["kind"] == "assignment":
        at = "" if step["domain"] == ROOT else f" at {step['domain']}"
        node, words, source = _role(step["role"]), f"{username} has {step['role']}{at}", ACCOUNT
    elif step["kind"] == "inherits":
        node, words, source = _role(step["junior"]), f"{step['role']} inherits {step['junior']}", role
    else:
        node = Node(PERMISSION, "permission", (step["permission"],), f"Permission {step['permission']}")
        words, source = f"{step['role']} holds {step['permission']}", role
    return node, Arrow(source, node.id, words + _facts(step))


def _role(name: str) -> Node:
    return Node(f"role {name}", "role", (name,), f"Role {name}")


def _facts(step: StepAnswer) -> str:
    who = f", by {step['who']['username']}" if step["who"] else ""
    until = f", until {moment(step['until'])}" if step["until"] else ""
    why = f": {step['why']}" if step["why"] else ""
    return f", since {moment(step['when'])}{until}{who}{why}"
