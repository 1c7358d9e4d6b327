"""How each operation acts upon a user, or upon what a user holds: the stories behind ``test_stronger``.

Bob acts and Dave is acted upon; what each holds beside the permissions of this service, ``STRENGTHS`` says.  Both hold ``invoices:read``,
and Dave has the roles ``team`` and ``other``, which hold nothing that Bob lacks: what makes Dave stronger is another role.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.attacks.paths import POLICY, Call
from tests.builders import Caller, Stage
from tests.capabilities.constraints.rules import CONSTRAINTS, constrain, in_days, inherit, make_roles
from tests.capabilities.oauth.robot import ACCOUNTS
from tests.capabilities.second_factor.device import enrolled
from tests.cast import ALICE, BOB, DAVE

STRENGTHS = {
    "clerk": (),
    "payer": ("payments:release",),
    "approver": ("invoices:approve",),
    "chief": ("payments:release", "invoices:approve"),
}
"""Each pair differs: none, one, the other, both."""
PAIRS = (
    ("clerk", "payer"),
    ("payer", "approver"),
    ("approver", "chief"),
    ("approver", "clerk"),
    ("chief", "payer"),
)
SHARED = "tea:brew"  # of the application; both hold it
COMMON = ("invoices:read", SHARED)
TEAM, OTHER = "team", "other"


def outranks(actor: str, victim: str) -> bool:
    return set(STRENGTHS[victim]) <= set(STRENGTHS[actor])


@dataclass
class Scene:
    """Alice, who prepares; Bob, who acts; Dave and a program, upon whom he does."""

    stage: Stage
    alice: Caller
    bob: Caller
    dave: str  # the address of his account
    robot: str

    def call(self, method: str, path: str, body: Any = None, tag_of: str | None = None) -> Call:
        return Call(self.bob, method, path, body, tag_of)

    def applies(self, document: Any, query: str = "") -> Call:
        return self.call("POST", f"{POLICY}/apply{query}", document, POLICY)


def set_scene(stage: Stage, actor: str, victim: str) -> Scene:
    """On the first scene: Bob is as strong as ``actor`` says, Dave and the program as ``victim`` says."""
    kept = stage.kept(f"{actor} and {victim}", lambda: _set_scene(stage, actor, victim))
    return replace(kept, alice=kept.alice.again(), bob=kept.bob.again())


def _set_scene(stage: Stage, actor: str, victim: str) -> Scene:
    alice = stage.as_(ALICE)
    done(alice.post("/v1/permissions", json={"name": SHARED, "description": "Brew tea."}))
    mine = [p["name"] for p in alice.get("/v1/permissions?limit=200").json["items"] if p["system"]]
    mine.remove("rbac:escalate")
    make_roles(alice, OTHER)
    done(alice.post("/v1/roles", json={"name": TEAM, "permissions": ["invoices:read"]}))
    for name, role in (("bob", actor), ("dave", victim)):
        holds = [*mine, *COMMON, *STRENGTHS[role]]
        done(alice.post("/v1/roles", json={"name": f"{name}s-own", "permissions": holds}))
    robot = alice.post(ACCOUNTS, json={"name": "invoice-robot"}).headers["Location"]
    dave = f"/v1/users/{stage.user_id(DAVE)}"
    done(alice.delete(f"/v1/users/{stage.user_id(BOB)}/roles/role-manager"))
    done(alice.put(f"/v1/users/{stage.user_id(BOB)}/roles/bobs-own"))
    for whom in (dave, robot):
        done(alice.put(f"{whom}/roles/daves-own"))
        done(alice.put(f"{whom}/roles/{TEAM}"))
    done(alice.put(f"{dave}/roles/{OTHER}"))
    return Scene(stage, alice, stage.as_(BOB), dave, robot)


def done(answer: Any) -> Any:
    assert answer.status_code < 300, answer.text
    return answer


def _plain(method: str, path: str, body: Any = None, tag_of: str | None = None) -> Callable[[Scene], Call]:
    def story(s: Scene) -> Call:
        at = {"dave": s.dave, "robot": s.robot}
        return s.call(method, path.format(**at), body, tag_of and tag_of.format(**at))

    return story


def _signed_in(story: Callable[[Scene], Call]) -> Callable[[Scene], Call]:
    def signed_in(s: Scene) -> Call:
        s.stage.as_(DAVE)
        return story(s)

    return signed_in


def _disinherits(s: Scene) -> Call:
    done(inherit(s.alice, TEAM, OTHER))
    return s.call("DELETE", f"/v1/roles/{TEAM}/inherits/{OTHER}")


def _through_a_senior(s: Scene) -> Call:
    """Dave holds the role only by inheritance."""
    make_roles(s.alice, "senior")
    done(inherit(s.alice, "senior", TEAM))
    done(s.alice.put(f"{s.dave}/roles/senior"))
    done(s.alice.delete(f"{s.dave}/roles/{TEAM}"))
    done(s.alice.delete(f"{s.robot}/roles/{TEAM}"))
    return s.call("DELETE", f"/v1/roles/{TEAM}/permissions/invoices:read")


def _who_starts_later(s: Scene) -> Call:
    """What makes Dave stronger begins only tomorrow."""
    done(s.alice.delete(f"{s.dave}/roles/daves-own"))
    done(s.alice.delete(f"{s.robot}/roles/{TEAM}"))
    done(s.alice.put(f"{s.dave}/roles/daves-own", json={"starts_at": in_days(1)}))
    return s.call("DELETE", f"/v1/roles/{TEAM}/permissions/invoices:read")


def _who_may_activate(s: Scene) -> Call:
    """What makes Dave stronger has to be activated."""
    done(s.alice.delete(f"{s.robot}/roles/{TEAM}"))
    done(s.alice.put(f"{s.dave}/roles/daves-own", json={"mode": "eligible"}))
    return s.call("DELETE", f"/v1/roles/{TEAM}/permissions/invoices:read")


def _deletes_a_senior(s: Scene) -> Call:
    """The role is deleted from under a senior that Dave has."""
    call = _through_a_senior(s)
    return s.call("DELETE", f"/v1/roles/{TEAM}?force=true", tag_of=f"/v1/roles/{TEAM}") if call else call


def _deletes_permission(s: Scene) -> Call:
    done(s.alice.delete(f"/v1/roles/daves-own/permissions/{SHARED}"))
    done(s.alice.put(f"/v1/roles/{TEAM}/permissions/{SHARED}"))
    return s.call("DELETE", f"/v1/permissions/{SHARED}?force=true")


def _makes_dynamic(s: Scene) -> Call:
    body = {"name": "rule", "kind": "dynamic", "roles": [TEAM, OTHER], "limit": 2}
    return s.call("POST", CONSTRAINTS, body)


def _ends_dynamic(s: Scene) -> Call:
    done(constrain(s.alice, "dynamic", TEAM, OTHER, limit=2))
    return s.call("DELETE", f"{CONSTRAINTS}/rule")


def _secret(s: Scene) -> Call:
    made = done(s.alice.post(f"{s.robot}/secrets"))
    return s.call("DELETE", f"{s.robot}/secrets/{made.json['id']}")


def _totp(s: Scene) -> Call:
    enrolled(s.stage.as_(DAVE))
    return s.call("DELETE", f"{s.dave}/totp")


def _unlocks(s: Scene) -> Call:
    body = {"username": DAVE.username, "password": "not his password"}
    assert s.stage.caller().post("/v1/auth/login", json=body).status_code == 401
    return s.call("POST", f"{s.dave}/unlock")


def _ends_session(s: Scene) -> Call:
    return s.call("DELETE", f"/v1/sessions/{s.stage.as_(DAVE).tokens['session_id']}")


def _ends_many(s: Scene) -> Call:
    s.stage.as_(DAVE)
    body = {"filter": {"user": "dave"}, "expected_count": 1, "reason": "laptop stolen"}
    return s.call("POST", "/v1/sessions/revocations", body)


def _closes_incident(s: Scene) -> Call:
    dave = s.stage.as_(DAVE)
    s.alice.delete(f"/v1/sessions/{dave.tokens['session_id']}")
    dave.get("/v1/me")  # with a dead token
    (incident,) = s.alice.get("/v1/incidents").json["items"]
    return s.call("POST", f"/v1/incidents/{incident['id']}/close", {"reason": "his own browser"})


def _role(**changes: Any) -> dict[str, Any]:
    return {"roles": [{"name": TEAM, "permissions": ["invoices:read"], **changes}]}


def _policy_disinherits(s: Scene) -> Call:
    done(inherit(s.alice, TEAM, OTHER))
    return s.applies(_role())


def _policy_ends_rule(s: Scene) -> Call:
    done(constrain(s.alice, "dynamic", TEAM, OTHER, limit=2))
    return s.applies({"constraints": []}, "?prune=true")


def _policy_withdraws_everywhere(s: Scene) -> Call:
    done(s.alice.put(f"/v1/roles/{TEAM}/permissions/{SHARED}"))
    return s.applies(_role())


def _reverts(s: Scene) -> Call:
    changed = Call(s.alice, "POST", f"{POLICY}/apply", _role(requires_mfa=True), POLICY)
    return s.call("POST", f"{POLICY}/revert", {"seq": done(changed.send()).json["seq"]})


def _erases(s: Scene) -> Call:
    done(s.alice.delete_now(s.dave))
    return s.call("POST", f"{s.dave}/erasure", {"reason": "ticket 4711"})


_TEAM = f"/v1/roles/{TEAM}"
_RULE = {"name": "rule", "kind": "dynamic", "roles": [TEAM, OTHER], "limit": 2}
# operation, or operation and variant: how Bob comes to do it.
STORIES: dict[str, Callable[[Scene], Call]] = {
    "update_user": _plain("PATCH", "{dave}", {"display_name": "Dave"}, "{dave}"),
    "update_user: disable": _plain("PATCH", "{dave}", {"status": "disabled"}, "{dave}"),
    "delete_user": _plain("DELETE", "{dave}", None, "{dave}"),
    "erase_user": _erases,
    "reset_password": _plain("POST", "{dave}/password-reset"),
    "remove_user_totp": _totp,
    "unlock_user": _unlocks,
    "end_user_sessions": _signed_in(_plain("DELETE", "{dave}/sessions")),
    "end_session": _ends_session,
    "revoke_sessions": _ends_many,
    "close_incident": _closes_incident,
    "assign_role": _plain("PUT", "{dave}/roles/bobs-own", {}),
    "assign_role: terms": _plain("PUT", "{dave}/roles/team", {"reason": "audit week"}),
    "revoke_role": _plain("DELETE", "{dave}/roles/team"),
    "update_service_account": _plain("PATCH", "{robot}", {"description": "Sends"}, "{robot}"),
    "delete_service_account": _plain("DELETE", "{robot}", None, "{robot}"),
    "create_client_secret": _plain("POST", "{robot}/secrets"),
    "withdraw_client_secret": _secret,
    "assign_service_account_role": _plain("PUT", "{robot}/roles/other", {}),
    "revoke_service_account_role": _plain("DELETE", "{robot}/roles/team"),
    "update_role": _plain("PATCH", _TEAM, {"requires_mfa": True}, _TEAM),
    "delete_role": _plain("DELETE", f"{_TEAM}?force=true", None, _TEAM),
    "delete_role: senior": _deletes_a_senior,
    "grant_permission": _plain("PUT", f"{_TEAM}/permissions/users:read"),
    "withdraw_permission": _plain("DELETE", f"{_TEAM}/permissions/invoices:read"),
    "withdraw_permission: senior": _through_a_senior,
    "withdraw_permission: later": _who_starts_later,
    "withdraw_permission: eligible": _who_may_activate,
    "inherit_role": _plain("PUT", f"{_TEAM}/inherits/{OTHER}"),
    "disinherit_role": _disinherits,
    "delete_permission": _deletes_permission,
    "create_constraint": _makes_dynamic,
    "delete_constraint": _ends_dynamic,
    "apply_policy: withdraw": lambda s: s.applies(_role(permissions=[])),
    "apply_policy: grant": lambda s: s.applies(_role(permissions=["invoices:read", "users:read"])),
    "apply_policy: mfa": lambda s: s.applies(_role(requires_mfa=True)),
    "apply_policy: inherit": lambda s: s.applies(_role(inherits=[OTHER])),
    "apply_policy: disinherit": _policy_disinherits,
    "apply_policy: one of two": _policy_withdraws_everywhere,
    "apply_policy: rule": lambda s: s.applies({"constraints": [_RULE]}),
    "apply_policy: no rule": _policy_ends_rule,
    "apply_policy: assign": lambda s: s.applies({"assignments": [{"user": "dave", "role": "bobs-own"}]}),
    "apply_policy: terms": lambda s: s.applies({"assignments": [{"user": "dave", "role": TEAM, "expires_at": in_days(3)}]}),
    "revert_policy": _reverts,
}  # fmt: skip
# Those that change what a role of his holds, not his account: all holders have to be compared.
THROUGH_A_ROLE = {
    story
    for story in STORIES
    if story.partition(":")[0].endswith(("_role", "_permission", "_constraint", "_policy"))
    and not story.startswith(("assign", "revoke_"))
    and story not in ("apply_policy: assign", "apply_policy: terms")
}  # fmt: skip
OWN = "only the account of the caller"
NEW = "what is new has no holder yet"
UNTOUCHING = {
    **dict.fromkeys(("login", "refresh", "logout", "update_me", "change_my_password", "enrol_totp", "confirm_totp", "remove_totp"), OWN),
    **dict.fromkeys(("end_my_session", "end_my_sessions", "activate_role", "drop_role", "issue_token"), OWN),
    **dict.fromkeys(("create_user", "create_role", "create_permission", "create_service_account"), NEW),
    **dict.fromkeys(("create_domain", "update_domain", "delete_domain"), "nothing lives in a domain that changes"),
    "set_password": "the account whose setup token is presented",
    "rotate_keys": "a new key signs from now on; tokens and sessions stay",
    "withdraw_key": "an emergency of the whole service: all sessions of a key end, of whomever they are (docs)",
    "revoke_token": "of a stronger account's token nothing is done, with the same answer (tests/capabilities/oauth/test_revocation.py)",
}  # fmt: skip
