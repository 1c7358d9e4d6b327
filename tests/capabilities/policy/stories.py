"""What the stories about policies share: who may apply them, a policy with an entry of every kind, and the way through the API."""

from __future__ import annotations

from typing import Any

from tests.builders import Caller, Stage
from tests.cast import ALICE, BOB

TEA: dict[str, Any] = {
    "permissions": [{"name": "tea:brew", "description": "Brew tea."}],
    "roles": [
        {"name": "brewer", "description": "Brews.", "permissions": ["tea:brew", "invoices:read"]},
        {"name": "head-brewer", "description": "Leads.", "inherits": ["brewer"], "requires_mfa": False},
    ],
    "constraints": [
        {"name": "no-tea-for-managers", "kind": "static", "roles": ["brewer", "role-manager"], "limit": 2}
    ],
    "assignments": [
        {"user": "dave", "role": "head-brewer", "reason": "Founder", "expires_at": "2040-01-01T00:00:00Z"},
        {"user": "carol", "role": "brewer", "mode": "eligible", "max_duration": 3600},
    ],
}
EMPTY: dict[str, list[Any]] = {
    "domains": [], "permissions": [], "roles": [], "inheritance": [], "constraints": [], "assignments": [],
}  # fmt: skip
KEPT = (
    "users", "domains", "roles", "permissions", "role_permissions", "role_inheritance", "assignments", "constraints", "constraint_roles",
    "policy_changes", "revocations",
)  # fmt: skip


def everything(stage: Stage, *, events: bool = True) -> list[object]:
    """Every row that a policy could touch, and the trail."""
    tables = (*KEPT, "trail_events") if events else KEPT
    return [sorted(map(str, stage.query(f"SELECT * FROM {table}"))) for table in tables]


def export(caller: Caller) -> dict[str, Any]:
    found: dict[str, Any] = caller.get("/v1/policy").json
    return found


def plan(caller: Caller, document: Any, *, prune: bool = False) -> dict[str, Any]:
    answer = caller.post(f"/v1/policy/plan?prune={'true' if prune else 'false'}", json=document)
    assert answer.status_code == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


def apply(caller: Caller, document: Any, *, prune: bool = False, tag: str | None = None) -> Any:
    """With the revision as it is at this moment, unless another is given."""
    headers = {"If-Match": tag or caller.get("/v1/policy").headers["ETag"]}
    return caller.post(
        f"/v1/policy/apply?prune={'true' if prune else 'false'}", json=document, headers=headers
    )


def trusted_bob(stage: Stage, *more: str) -> Caller:
    """Bob, who manages roles, may read, plan and apply policies too, and whatever else is named; not hand out what he does not hold."""
    alice = stage.as_(ALICE)
    for permission in ("policy:read", "policy:plan", "policy:apply", "constraints:create", *more):
        alice.put(f"/v1/roles/role-manager/permissions/{permission}")
    return stage.as_(BOB)
