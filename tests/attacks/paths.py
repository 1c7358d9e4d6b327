"""How each operation hands out, and how it comes to break each kind of constraint: the stories behind ``test_every_path``.

A breach is told in two halves.  Each is fine by itself, and whichever comes second must be refused: ``counter`` is somebody else's,
``act`` that of the operation in question.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tests.builders import Caller, Stage
from tests.capabilities.constraints.rules import CONSTRAINTS, PAIR, constrain, in_days, inherit, make_roles
from tests.capabilities.oauth.robot import ACCOUNTS
from tests.cast import ALICE, BOB, DAVE, PASSWORD

FIRST, OTHER = PAIR
POLICY = "/v1/policy"
SECRET = "payments:release"  # what the steward does not hold
KINDS = ("static", "dynamic", "max-holders", "requires")


@dataclass(frozen=True)
class Call:
    """A request that is ready to be made; with the ETag of ``tag_of``, read at that moment, if there is one."""

    caller: Caller
    method: str
    path: str
    body: Any = None
    tag_of: str | None = None

    def send(self) -> Any:
        """Make it, as a client of its own."""
        client, headers = self.caller.stage.app.test_client(), dict(self.caller.headers)
        if self.tag_of:
            headers["If-Match"] = client.get(self.tag_of, headers=headers).headers["ETag"]
        return client.open(self.path, method=self.method, json=self.body, headers=headers)


@dataclass
class Scene:
    """Alice, and a victim: Dave, or a program."""

    stage: Stage
    alice: Caller
    victim: str  # her address
    name: str
    kind: str  # ``user`` or ``service_account``, as documents call it
    seq: int = 0  # of a policy that was applied

    def has(self, role: str, **terms: Any) -> None:
        """The victim has this role."""
        answer = self.gives(role, **terms).send()
        assert answer.status_code in (200, 201), answer.text

    def gives(self, role: str, **terms: Any) -> Call:
        return Call(self.alice, "PUT", f"{self.victim}/roles/{role}", terms)

    def rules(self, kind: str, *roles: str, limit: int | None = None) -> None:
        answer = constrain(self.alice, kind, *roles, limit=limit)
        assert answer.status_code == 201, answer.text


Step = Callable[[Scene], Any]
Breach = Callable[[Stage], tuple[Call, Call]]


def set_scene(stage: Stage, kind: str) -> Scene:
    """On the first scene, the roles, which hold nothing, and the victim."""
    return replace(stage.kept(f"a {kind}", lambda: _set_scene(stage, kind)))


def _set_scene(stage: Stage, kind: str) -> Scene:
    alice = stage.as_(ALICE)
    make_roles(alice, *PAIR, "chief")
    if kind == "user":
        return Scene(stage, alice, f"/v1/users/{stage.user_id(DAVE)}", "dave", kind)
    made = alice.post(ACCOUNTS, json={"name": "invoice-robot"})
    return Scene(stage, alice, made.headers["Location"], "invoice-robot", kind)


# The counterparts: what has to be there before, and somebody's change after which gaining the first role breaks the rule.
def _static(scene: Scene) -> Call:
    scene.rules("static", *PAIR, limit=2)
    return scene.gives(OTHER, starts_at=in_days(4))


def _max_holders(scene: Scene) -> Call:
    scene.rules("max-holders", FIRST, limit=1)
    path = f"/v1/users/{scene.stage.user_id(BOB)}/roles/{FIRST}"
    return Call(scene.alice, "PUT", path, {"starts_at": in_days(4)})


def _requires(scene: Scene) -> Call:
    scene.has(OTHER)
    scene.rules("requires", *PAIR)
    return scene.gives(OTHER, expires_at=in_days(4))


COUNTERS: dict[str, Callable[[Scene], Call]] = {
    "static": _static,
    "max-holders": _max_holders,
    "requires": _requires,
}


def _inherits(scene: Scene) -> Call:
    return Call(scene.alice, "PUT", f"/v1/roles/chief/inherits/{FIRST}")


def _applies(scene: Scene, **terms: Any) -> Call:
    document = {"assignments": [{scene.kind: scene.name, "role": FIRST, **terms}]}
    return Call(scene.alice, "POST", f"{POLICY}/apply", document, tag_of=POLICY)


def _shortened(scene: Scene) -> None:
    """By a policy the victim has the first role for three days more, no longer without an end."""
    scene.has(FIRST)
    answer = _applies(scene, expires_at=in_days(3)).send()
    assert answer.status_code == 200, answer.text
    scene.seq = answer.json["seq"]


def _reverts(scene: Scene) -> Call:
    return Call(scene.alice, "POST", f"{POLICY}/revert", {"seq": scene.seq})


GAINS: dict[str, tuple[str, Step, Callable[[Scene], Call]]] = {
    "assign_role": ("user", lambda scene: None, lambda scene: scene.gives(FIRST)),
    "assign_service_account_role": ("service_account", lambda scene: None, lambda scene: scene.gives(FIRST)),
    "inherit_role": ("user", lambda scene: scene.has("chief"), _inherits),
    "apply_policy": ("user", lambda scene: None, _applies),
    "revert_policy": ("user", _shortened, _reverts),
}


def _gain(operation: str, kind: str, stage: Stage) -> tuple[Call, Call]:
    victim, prepare, act = GAINS[operation]
    scene = set_scene(stage, victim)
    prepare(scene)
    counter = COUNTERS[kind](scene)
    return counter, act(scene)


def _through_chief(scene: Scene) -> None:
    inherit(scene.alice, "chief", OTHER)
    scene.has("chief")


LOSSES: dict[str, tuple[str, Step, Callable[[Scene], Call]]] = {
    "revoke_role": ("user", lambda s: s.has(OTHER), lambda s: Call(s.alice, "DELETE", f"{s.victim}/roles/{OTHER}")),
    "revoke_service_account_role": (
        "service_account", lambda s: s.has(OTHER), lambda s: Call(s.alice, "DELETE", f"{s.victim}/roles/{OTHER}"),
    ),
    "disinherit_role": ("user", _through_chief, lambda s: Call(s.alice, "DELETE", f"/v1/roles/chief/inherits/{OTHER}")),
    "delete_role": (
        "user", _through_chief, lambda s: Call(s.alice, "DELETE", "/v1/roles/chief?force=true", tag_of="/v1/roles/chief"),
    ),
}  # fmt: skip


def _loss(operation: str, stage: Stage) -> tuple[Call, Call]:
    victim, prepare, act = LOSSES[operation]
    scene = set_scene(stage, victim)
    prepare(scene)
    scene.rules("requires", *PAIR)
    return scene.gives(FIRST), act(scene)


def _made(scene: Scene, kind: str, *roles: str, limit: int | None = None) -> Call:
    body = {"name": "rule", "kind": kind, "roles": list(roles), "limit": limit}
    return Call(scene.alice, "POST", CONSTRAINTS, body)


def _make_static(stage: Stage) -> tuple[Call, Call]:
    scene = set_scene(stage, "user")
    scene.has(OTHER)
    return scene.gives(FIRST), _made(scene, "static", *PAIR, limit=2)


def _make_max_holders(stage: Stage) -> tuple[Call, Call]:
    scene = set_scene(stage, "user")
    scene.alice.put(f"/v1/users/{stage.user_id(BOB)}/roles/{FIRST}")
    return scene.gives(FIRST), _made(scene, "max-holders", FIRST, limit=1)


def _make_requires(stage: Stage) -> tuple[Call, Call]:
    scene = set_scene(stage, "user")
    return scene.gives(FIRST), _made(scene, "requires", *PAIR)


def _make_dynamic(stage: Stage) -> tuple[Call, Call]:
    """Dave signs in with both while they are forbidden to be active together."""
    scene = set_scene(stage, "user")
    for role in PAIR:
        scene.has(role)
    body = {"username": "dave", "password": PASSWORD, "roles": list(PAIR)}
    return Call(stage.caller(), "POST", "/v1/auth/login", body), _made(scene, "dynamic", *PAIR, limit=2)


def _sign_in(stage: Stage) -> tuple[Call, Call]:
    act, counter = _make_dynamic(stage)
    return counter, act


def _activate(stage: Stage) -> tuple[Call, Call]:
    """Dave makes both active, at once, in one session."""
    scene = set_scene(stage, "user")
    for role in PAIR:
        scene.has(role, mode="eligible")
    scene.rules("dynamic", *PAIR, limit=2)
    dave, body = stage.as_(DAVE), {"duration": 600, "reason": "month's end"}
    one, other = (Call(dave, "PUT", f"/v1/me/activations/{role}", body) for role in (OTHER, FIRST))
    return one, other


BREACHES: dict[tuple[str, str], Breach] = {
    **{(operation, kind): partial(_gain, operation, kind) for operation in GAINS for kind in COUNTERS},
    **{(operation, "requires"): partial(_loss, operation) for operation in LOSSES},
    ("create_constraint", "static"): _make_static,
    ("create_constraint", "max-holders"): _make_max_holders,
    ("create_constraint", "requires"): _make_requires,
    ("create_constraint", "dynamic"): _make_dynamic,
    ("login", "dynamic"): _sign_in,
    ("activate_role", "dynamic"): _activate,
}
# What cannot be, and why: it must be said of each operation and kind that has no story.
GIVES_WAY = "a dynamic constraint binds what is active: at every decision what is had by default gives way"
ONLY_LOSES = "nobody gains by it, and only a requirement is broken by losing"
ONLY_ACTIVE = "it changes what is active in a session, not what anybody holds"
IMPOSSIBLE: dict[tuple[str, str], str] = {
    **{(operation, "dynamic"): GIVES_WAY for operation in GAINS},
    **{
        (operation, kind): ONLY_LOSES for operation in LOSSES for kind in ("static", "max-holders", "dynamic")
    },
    **{
        (operation, kind): ONLY_ACTIVE
        for operation in ("login", "activate_role")
        for kind in ("static", "max-holders", "requires")
    },
}


@dataclass
class Handing:
    """Alice, and the steward, who may call every operation that hands out, and does not hold what it would hand out."""

    alice: Caller
    steward: Caller
    erin: str  # the address of somebody who holds nothing
    robot: str


def _hands(method: str, path: str, body: Any = None) -> Callable[[Handing], Call]:
    return lambda found: Call(found.steward, method, path.format(erin=found.erin, robot=found.robot), body)


def _rule_of_payers(found: Handing) -> Call:
    assert constrain(found.alice, "static", "payer", "clerk", limit=2).status_code == 201
    return Call(found.steward, "DELETE", f"{CONSTRAINTS}/rule")


def _policy_for_erin(found: Handing) -> Call:
    document = {"assignments": [{"user": "erin", "role": "payer"}]}
    return Call(found.steward, "POST", f"{POLICY}/apply", document, tag_of=POLICY)


def _policy_to_undo(found: Handing) -> Call:
    """Erin is a payer for a day only; undone, she would be one for good."""
    assert found.alice.put(f"{found.erin}/roles/payer").status_code == 201
    document = {"assignments": [{"user": "erin", "role": "payer", "expires_at": in_days(1)}]}
    applied = Call(found.alice, "POST", f"{POLICY}/apply", document, tag_of=POLICY).send()
    assert applied.status_code == 200, applied.text
    return Call(found.steward, "POST", f"{POLICY}/revert", {"seq": applied.json["seq"]})


def _secret_that_lasts(found: Handing) -> Call:
    """The steward holds what the robot holds, but for a day only."""
    dave = f"/v1/users/{found.steward.stage.user_id(DAVE)}"
    for whom, terms in ((found.robot, {}), (dave, {"expires_at": in_days(1)})):
        assert found.alice.put(f"{whom}/roles/payer", json=terms).status_code == 201
    return Call(found.steward, "POST", f"{found.robot}/secrets")


ESCALATIONS: dict[str, Callable[[Handing], Call]] = {
    "create_role": _hands("POST", "/v1/roles", {"name": "mine", "permissions": [SECRET]}),
    "grant_permission": _hands("PUT", f"/v1/roles/clerk/permissions/{SECRET}"),
    "inherit_role": _hands("PUT", "/v1/roles/clerk/inherits/payer"),
    "assign_role": _hands("PUT", "{erin}/roles/payer", {}),
    "assign_service_account_role": _hands("PUT", "{robot}/roles/payer", {}),
    "create_client_secret": _secret_that_lasts,
    "create_constraint": _hands(
        "POST", CONSTRAINTS, {"name": "rule", "kind": "static", "roles": ["payer", "clerk"], "limit": 2}
    ),
    "delete_constraint": _rule_of_payers,
    "apply_policy": _policy_for_erin,
    "revert_policy": _policy_to_undo,
}


def make_steward(stage: Stage, permissions: set[str]) -> Handing:
    """On the first scene, Dave holds these permissions; the role payer holds one that he does not."""
    return replace(stage.kept(f"a steward of {len(permissions)}", lambda: _make_steward(stage, permissions)))


def _make_steward(stage: Stage, permissions: set[str]) -> Handing:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "steward", "permissions": sorted(permissions - {SECRET})})
    alice.post("/v1/roles", json={"name": "payer", "permissions": [SECRET]})
    make_roles(alice, "clerk")
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/steward")
    erin = alice.post("/v1/users", json={"username": "erin"}).headers["Location"]
    robot = alice.post(ACCOUNTS, json={"name": "invoice-robot"}).headers["Location"]
    return Handing(alice, stage.as_(DAVE), erin, robot)
