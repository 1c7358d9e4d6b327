"""Lists the steps of a plan by what they create, change and remove, and counts them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rbac_api.decision.difference import Facts, Step

SECTIONS = ("domains", "permissions", "roles", "inheritance", "constraints", "assignments")


def shown(steps: Iterable[Step]) -> dict[str, dict[str, list[dict[str, object]]]]:
    """Return the steps as a plan lists them: what is created, changed and removed, by kind; a role's
    permissions are listed with the role."""
    found: dict[str, dict[str, list[dict[str, object]]]] = {
        part: {section: [] for section in SECTIONS} for part in ("created", "changed", "removed")
    }
    rules: dict[str, dict[str, object]] = {}
    roles: dict[str, dict[str, object]] = {}
    for step in steps:
        thing, _, verb = step.op.partition(".")
        facts = dict(step.facts)
        if verb in ("grant", "withdraw") or step.op == "role.update":
            _note_role(roles, verb, facts)
        elif step.op == "constraint.delete":
            rules[facts["name"]] = facts
        elif step.op == "constraint.create" and facts["name"] in rules:
            before = rules.pop(facts.pop("name"))
            name = before.pop("name")
            found["changed"]["constraints"].append({"name": name, "before": before, "after": facts})
        else:
            section = thing if thing == "inheritance" else f"{thing}s"
            part = {"create": "created", "update": "changed"}.get(verb, "removed")
            found[part][section].append(facts)
    found["removed"]["constraints"] = list(rules.values())
    found["changed"]["roles"] = [roles[name] for name in sorted(roles)]
    return found


def _note_role(roles: dict[str, dict[str, Any]], verb: str, facts: Facts) -> None:
    name = facts["name"] if verb == "update" else facts["role"]
    empty: dict[str, Any] = {"name": name, "before": {}, "after": {}, "granted": [], "withdrawn": []}
    entry = roles.setdefault(name, empty)
    if verb == "update":
        entry.update(before=facts["before"], after=facts["after"])
    else:
        entry["granted" if verb == "grant" else "withdrawn"].append(facts["permission"])


def summary(parts: Mapping[str, Mapping[str, Sequence[Facts]]]) -> str:
    """Return ``3 to add, 1 to change, 0 to remove``."""
    counts = [sum(map(len, parts[part].values())) for part in ("created", "changed", "removed")]
    return "{} to add, {} to change, {} to remove".format(*counts)
