"""The current state in the form of a document: for exports, for comparisons, and to detect changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.assignments.service import where
from rbac_api.capabilities.policy import queries
from rbac_api.capabilities.policy.state import State, Thing
from rbac_api.decision.difference import CurrentPolicy, Facts, Held, text_of
from rbac_api.decision.document import domain_of
from rbac_api.decision.hierarchy import RoleGraph


def find_current_policy(state: State, held: Iterable[queries.HeldAssignment]) -> CurrentPolicy:
    """Everything that a document can say; ``held`` are the rows of the assignments to look at."""
    graph = state.graph
    permissions = {
        name: {"title": row.title, "description": row.description, "system": row.system}
        for name, row in state.permission_rows.items()
    }
    roles = {name: _role(name, row, graph) for name, row in state.role_rows.items() if name in graph.roles}
    constraints = {
        rule.name: {"kind": rule.kind, "roles": list(rule.roles), "limit": rule.limit}
        for rule in graph.constraints
    }
    domains = {
        name: {"title": row.title, "description": row.description} for name, row in state.places.rows.items()
    }
    return CurrentPolicy(permissions, roles, constraints, assignments_of(held, state.at), domains)


def assignments_of(rows: Iterable[queries.HeldAssignment], at: datetime) -> dict[Held, Mapping[str, object]]:
    """Assignments by account, role and domain; one that has begun is listed without its beginning."""
    return {(_kind(row), row.username_canonical, row.role, row.domain): _facts(row, at) for row in rows}


def exported_assignments(rows: Iterable[queries.HeldAssignment], at: datetime) -> Iterator[dict[str, object]]:
    """The assignments as a document has them; of several of the same role to the same account at
    the same domain the last."""
    for _, same in groupby(rows, lambda row: (row.id, row.role, row.domain)):
        *_, row = same
        yield _exported(_facts(row, at))


def _kind(row: queries.HeldAssignment) -> str:
    return "service_account" if row.kind == "service" else "user"


def _facts(row: queries.HeldAssignment, at: datetime) -> dict[str, object]:
    return {
        _kind(row): row.username,
        "role": row.role,
        "reason": row.reason,
        "starts_at": text_of(row.valid_from) if row.valid_from > at else None,
        "expires_at": text_of(row.valid_to),
        "mode": row.mode,
        "max_duration": row.max_duration,
        **where(row.domain),
    }


def export(present: CurrentPolicy) -> dict[str, list[dict[str, object]]]:
    """The document: sorted, without built-in entries (but with their holders), and without default values."""
    custom = {name: facts for name, facts in present.permissions.items() if not facts["system"]}
    return {
        "domains": _described(present.domains),
        "permissions": _described(custom),
        "roles": [
            exported_role(name, facts) for name, facts in sorted(present.roles.items()) if not facts["system"]
        ],
        "constraints": [
            {"name": name, "kind": facts["kind"], "roles": _ordered(facts), **_said(facts, "limit")}
            for name, facts in sorted(present.constraints.items())
        ],
        "assignments": [_exported(facts) for _, facts in sorted(present.assignments.items())],
    }


def _described(things: Mapping[str, Facts]) -> list[dict[str, object]]:
    """What has a title and a description, and nothing else, as a document has it."""
    return [
        {"name": name, **_said(facts, "title"), "description": facts["description"]}
        for name, facts in sorted(things.items())
    ]


def exported_role(name: str, facts: Facts) -> dict[str, object]:
    """A role as a document has it."""
    return {
        "name": name,
        **_said(facts, "title"),
        "description": facts["description"],
        **({"requires_mfa": True} if facts["requires_mfa"] else {}),
        "permissions": facts["permissions"],
        "inherits": facts["inherits"],
    }


def revision(connection: Connection, at: datetime) -> str:
    """The ``seq`` of the event that last changed the policy.

    Where time alone changed something after it, the moment follows the number.
    """
    return revision_after(connection, queries.get_last_policy_event(connection), at)


def revision_after(connection: Connection, newest: tuple[int, datetime], at: datetime) -> str:
    """The same, with the ``seq`` and the moment of that event."""
    seq, since = newest
    boundary = queries.find_last_boundary(connection, since, at)
    return f"{seq}" if boundary is None else f"{seq}-{clock.rfc3339(boundary)}"


def _role(name: str, row: Thing, graph: RoleGraph) -> dict[str, object]:
    return {
        "title": row.title,
        "description": row.description,
        "requires_mfa": graph.roles[name].requires_mfa,
        "system": row.system,
        "permissions": sorted(graph.roles[name].permissions),
        "inherits": sorted(graph.juniors[name]),
    }


def _ordered(rule: Facts) -> list[str]:
    """The constraint with its roles sorted, except for ``requires``, which begins with the role that requires
    the others."""
    first = 1 if rule["kind"] == "requires" else 0
    return [*rule["roles"][:first], *sorted(rule["roles"][first:])]


def _exported(facts: Mapping[str, object]) -> dict[str, object]:
    kind = "service_account" if "service_account" in facts else "user"
    terms = _said(facts, "reason", "starts_at", "expires_at", "max_duration")
    mode = {"mode": facts["mode"]} if facts["mode"] != "active" else {}
    return {kind: facts[kind], "role": facts["role"], **where(domain_of(facts)), **terms, **mode}


def _said(facts: Mapping[str, object], *names: str) -> dict[str, object]:
    return {name: facts[name] for name in names if facts[name] is not None}
