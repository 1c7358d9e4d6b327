"""A change by itself and the same change in a document are refused or done alike: the guards stand in two places, and are the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.builders import Caller, Stage
from tests.capabilities.constraints.rules import constrain, give, inherit, keep_apart, make_roles, take
from tests.capabilities.policy.stories import apply, export, plan, trusted_bob
from tests.cast import ALICE, BOB, CAROL, DAVE

Document = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """One change: by itself, and as what a document has then; who makes it, and the code of the refusal (None: it is done)."""

    single: Callable[[Caller], Any]
    edit: Callable[[Document], Any]
    code: str | None
    by: Any = BOB


def role(document: Document, name: str) -> dict[str, Any]:
    return next(entry for entry in document["roles"] if entry["name"] == name)


def assign(user: str, name: str, **terms: Any) -> Callable[[Document], Any]:
    return lambda document: document["assignments"].append({"user": user, "role": name, **terms})


def without(section: str, **wanted: Any) -> Callable[[Document], Any]:
    def edit(document: Document) -> None:
        kept = [entry for entry in document[section] if not wanted.items() <= entry.items()]
        assert len(kept) < len(document[section])
        document[section] = kept

    return edit


def more(section: str, entry: dict[str, Any]) -> Callable[[Document], Any]:
    return lambda document: document[section].append(entry)


def changed(name: str, **values: Any) -> Callable[[Document], Any]:
    return lambda document: role(document, name).update(values)


def only(name: str, **values: Any) -> Callable[[Document], Any]:
    """The document says nothing else: a circle within it would be a fault of its form."""
    return lambda document: document.update(roles=[{**role(document, name), **values}])


RULE = {"name": "apart", "kind": "static", "roles": ["clerk", "payer"], "limit": 2}
DYNAMIC = {"name": "apart", "kind": "dynamic", "roles": ["clerk", "worker"], "limit": 2}
EARLIER, ENDS, LATER = (f"20{year}-01-01T00:00:00Z" for year in (88, 89, 90))
CHANGES: dict[str, Change] = {
    "a role with a permission the caller lacks": Change(
        lambda c: c.post("/v1/roles", json={"name": "mine", "permissions": ["payments:release"]}),
        more("roles", {"name": "mine", "permissions": ["payments:release"]}), "escalation.denied"),
    "a role of what the caller holds": Change(
        lambda c: c.post("/v1/roles", json={"name": "mine", "permissions": ["invoices:read"]}),
        more("roles", {"name": "mine", "permissions": ["invoices:read"]}), None),
    "granting what the caller lacks": Change(
        lambda c: c.put("/v1/roles/clerk/permissions/payments:release"),
        changed("clerk", permissions=["invoices:read", "payments:release"]), "escalation.denied"),
    "granting to a stronger role": Change(
        lambda c: c.put("/v1/roles/payer/permissions/invoices:read"),
        changed("payer", permissions=["invoices:read", "payments:release"]), "target.stronger"),
    "withdrawing from a stronger role": Change(
        lambda c: c.delete("/v1/roles/payer/permissions/payments:release"), changed("payer", permissions=[]), "target.stronger"),
    "inheriting a stronger role": Change(
        lambda c: inherit(c, "clerk", "payer"), changed("clerk", inherits=["payer"]), "escalation.denied"),
    "a stronger role's inheritance": Change(
        lambda c: c.delete("/v1/roles/chief/inherits/payer"), changed("chief", inherits=[]), "target.stronger"),
    "a circle": Change(lambda c: inherit(c, "worker", "leader"), only("worker", inherits=["leader"]), "role.cycle"),
    "describing a stronger role": Change(
        lambda c: c.patch_now("/v1/roles/payer", {"description": "Mine."}), changed("payer", description="Mine."), "target.stronger"),
    "a stronger role's second factor": Change(
        lambda c: c.patch_now("/v1/roles/payer", {"requires_mfa": True}), changed("payer", requires_mfa=True), "target.stronger"),
    "describing what is built in": Change(
        lambda c: c.patch_now("/v1/roles/auditor", {"description": "Mine."}),
        more("roles", {"name": "auditor", "description": "Mine."}), "role.system", ALICE),
    "granting to what is built in": Change(
        lambda c: c.put("/v1/roles/auditor/permissions/invoices:read"),
        more("roles", {"name": "auditor", "permissions": ["invoices:read"]}), "role.system", ALICE),
    "a second factor for what is built in": Change(
        lambda c: c.patch_now("/v1/roles/auditor", {"requires_mfa": True}),
        more("roles", {"name": "auditor", "requires_mfa": True}), None, ALICE),
    "deleting a role that is held": Change(
        lambda c: c.delete_now("/v1/roles/clerk"), without("roles", name="clerk"), "role.in_use"),
    "deleting a role of a constraint": Change(
        lambda c: c.delete_now("/v1/roles/idle"), without("roles", name="idle"), "role.in_use"),
    "deleting a stronger role": Change(
        lambda c: c.delete_now("/v1/roles/chief"), without("roles", name="chief"), "target.stronger"),
    "deleting a permission the caller lacks": Change(
        lambda c: c.delete("/v1/permissions/payments:release"), without("permissions", name="payments:release"), "target.stronger"),
    "a constraint on a stronger role": Change(
        lambda c: c.post("/v1/constraints", json=RULE), more("constraints", RULE), "escalation.denied"),
    "ending a constraint on a stronger role": Change(
        lambda c: c.delete("/v1/constraints/guarded"), without("constraints", name="guarded"), "escalation.denied"),
    "a constraint that is broken already": Change(
        lambda c: c.post("/v1/constraints", json={**RULE, "roles": ["clerk", "worker"]}),
        more("constraints", {**RULE, "roles": ["clerk", "worker"]}), "constraint.violated", ALICE),
    "a dynamic constraint": Change(lambda c: c.post("/v1/constraints", json=DYNAMIC), more("constraints", DYNAMIC), None),
    "giving a stronger role": Change(lambda c: give(c, CAROL, "payer"), assign("carol", "payer"), "escalation.denied"),
    "giving to somebody stronger": Change(lambda c: give(c, ALICE, "clerk"), assign("alice", "clerk"), "target.stronger"),
    "giving what may be given": Change(lambda c: give(c, DAVE, "idle"), assign("dave", "idle"), None),
    "taking from somebody stronger": Change(
        lambda c: take(c, CAROL, "auditor"), without("assignments", user="carol", role="auditor"), "target.stronger"),
    "changing the terms of somebody stronger": Change(
        lambda c: give(c, CAROL, "auditor", reason="new"),
        lambda d: next(e for e in d["assignments"] if e["user"] == "carol").update(reason="new"), "target.stronger"),
    "an assignment that breaks a constraint": Change(
        lambda c: give(c, DAVE, "lone"), assign("dave", "lone"), "constraint.violated"),
    "an inheritance that breaks a constraint": Change(
        lambda c: inherit(c, "clerk", "lone"), changed("clerk", inherits=["lone"]), "constraint.violated"),
    "granting to a role of somebody stronger": Change(
        lambda c: c.put("/v1/roles/shared/permissions/invoices:approve"),
        changed("shared", permissions=["invoices:approve", "invoices:read"]), "target.stronger"),
    "withdrawing from a role of somebody stronger": Change(
        lambda c: c.delete("/v1/roles/shared/permissions/invoices:read"), changed("shared", permissions=[]), "target.stronger"),
    "a second factor for a role of somebody stronger": Change(
        lambda c: c.patch_now("/v1/roles/shared", {"requires_mfa": True}), changed("shared", requires_mfa=True), "target.stronger"),
    "describing a role of somebody stronger": Change(
        lambda c: c.patch_now("/v1/roles/shared", {"description": "Ours."}), changed("shared", description="Ours."), None),
    "an inheritance for somebody stronger": Change(
        lambda c: inherit(c, "shared", "idle"), changed("shared", inherits=["idle", "part"]), "target.stronger"),
    "the end of an inheritance of somebody stronger": Change(
        lambda c: c.delete("/v1/roles/shared/inherits/part"), changed("shared", inherits=[]), "target.stronger"),
    "granting to what a role of somebody stronger inherits": Change(
        lambda c: c.put("/v1/roles/part/permissions/invoices:read"),
        changed("part", permissions=["invoices:read"]), "target.stronger"),
    "a dynamic constraint on somebody stronger": Change(
        lambda c: c.post("/v1/constraints", json={**DYNAMIC, "roles": ["shared", "part"]}),
        more("constraints", {**DYNAMIC, "roles": ["shared", "part"]}), "target.stronger"),
    "a dynamic constraint that cannot bind somebody stronger": Change(
        lambda c: c.post("/v1/constraints", json={**DYNAMIC, "roles": ["shared", "worker"]}),
        more("constraints", {**DYNAMIC, "roles": ["shared", "worker"]}), None),
    "an own role without its end": Change(
        lambda c: give(c, BOB, "timed", expires_at=None),
        lambda d: next(e for e in d["assignments"] if e["role"] == "timed").update(expires_at=None), "escalation.denied"),
    "an own role until later": Change(
        lambda c: give(c, BOB, "timed", expires_at=LATER),
        lambda d: next(e for e in d["assignments"] if e["role"] == "timed").update(expires_at=LATER), "escalation.denied"),
    "an own role until earlier": Change(
        lambda c: give(c, BOB, "timed", expires_at=EARLIER),
        lambda d: next(e for e in d["assignments"] if e["role"] == "timed").update(expires_at=EARLIER), None),
    "another role with what is held only for a time": Change(
        lambda c: give(c, BOB, "endless"), assign("bob", "endless"), "escalation.denied"),
    "another role for no longer": Change(
        lambda c: give(c, BOB, "endless", expires_at=ENDS), assign("bob", "endless", expires_at=ENDS), None),
    "another mode": Change(
        lambda c: give(c, DAVE, "worker", mode="eligible"),
        lambda d: next(e for e in d["assignments"] if e["role"] == "worker").update(mode="eligible"), None),
    "the last administrator": Change(
        lambda c: take(c, ALICE, "admin"), without("assignments", user="alice", role="admin"), "admin.last", ALICE),
    "an end for the last administrator": Change(
        lambda c: give(c, ALICE, "admin", expires_at="2090-01-01T00:00:00Z"),
        lambda d: next(e for e in d["assignments"] if e["role"] == "admin").update(expires_at="2090-01-01T00:00:00Z"),
        "admin.last", ALICE),
}  # fmt: skip


def stage_it(stage: Stage) -> None:
    """Roles as strong as Bob and stronger, in every relation that a guard asks about."""
    alice = stage.as_(ALICE)
    trusted_bob(stage, "constraints:delete", "constraints:read")
    make_roles(
        alice, "clerk", "worker", "leader", "payer", "chief", "idle", "lone", "other", "shared", "part"
    )
    alice.put("/v1/roles/clerk/permissions/invoices:read")
    alice.put("/v1/roles/payer/permissions/payments:release")
    alice.put("/v1/roles/shared/permissions/invoices:read")
    for senior, junior in (("leader", "worker"), ("chief", "payer"), ("shared", "part")):
        inherit(alice, senior, junior)
    keep_apart(alice, "idle", "other", name="idlers")
    keep_apart(alice, "payer", "other", name="guarded")
    give(alice, DAVE, "clerk")
    give(alice, DAVE, "worker")
    give(alice, CAROL, "shared")
    alice.post("/v1/permissions", json={"name": "tea:brew", "description": "Brew tea."})
    for name in ("timed", "endless"):
        alice.post("/v1/roles", json={"name": name, "permissions": ["tea:brew"]})
    assert give(alice, BOB, "timed", expires_at=ENDS).status_code == 201
    assert constrain(alice, "static", "clerk", "lone", limit=2, name="alone").status_code == 201


def needed(document: Document, before: Document) -> Document:
    """Only the sections that the change is about: the others would be within what a caller may see, not what she may change."""
    return {section: entries for section, entries in document.items() if entries != before[section]}


@pytest.mark.parametrize("name", CHANGES)
def test_a_single_change_and_a_document_are_refused_alike(stage: Stage, name: str) -> None:
    change = CHANGES[name]
    stage.kept("refusals", lambda: stage_it(stage))
    caller = stage.as_(change.by)
    document, before = export(caller), export(caller)
    change.edit(document)
    wanted = needed(document, before)

    prune = name != "a circle"
    planned = plan(caller, wanted, prune=prune)
    applied = apply(caller, wanted, prune=prune) if change.code else None
    single = change.single(caller)

    codes = [refusal["code"] for refusal in planned["refusals"]]
    codes += ["constraint.violated"] * bool(planned["violations"])
    assert (single.json["code"] if single.status_code >= 400 else None) == change.code, single.json
    assert codes[:1] == ([change.code] if change.code else [])
    assert applied is None or (applied.status_code, applied.json["code"]) == (
        single.status_code,
        change.code,
    )
    if applied is not None and "missing" in single.json:
        assert applied.json["missing"] == single.json["missing"]


def test_another_mode_in_a_document_ends_one_assignment_and_begins_another(stage: Stage) -> None:
    stage.kept("refusals", lambda: stage_it(stage))
    alice = stage.as_(ALICE)
    document = export(alice)
    next(entry for entry in document["assignments"] if entry["role"] == "worker").update(mode="eligible")

    apply(alice, needed(document, export(alice)))

    direct = alice.get(f"/v1/users/{stage.user_id(DAVE)}/roles").json["direct"]
    assert {entry["role"]: entry["mode"] for entry in direct} == {"clerk": "active", "worker": "eligible"}
    rows = stage.query(
        "SELECT a.valid_to FROM assignments a JOIN roles r ON r.id = a.role_id WHERE r.name = 'worker'"
    )
    assert sorted(end is None for (end,) in rows) == [False, True]
