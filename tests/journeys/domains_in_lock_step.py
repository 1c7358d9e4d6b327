"""A machine that makes domains, moves homes and lets delegated administrators act, on the model and on the service at once."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from rbac_api.capabilities.roles.service import create_role, grant_permission
from rbac_api.cli.prepare import operator_unit
from tests.builders import Caller, Stage
from tests.cast import ALICE, NEW_PASSWORD
from tests.conftest import ENGINES, Stages
from tests.journeys.domain_model import ADMIN, LEAD, ROLES, WORK, Model, Refused

DOMAINS = ["root", "acme", "acme.eu", "acme.eu.shop", "acme-eu", "globex"]
USERS = ["u1", "u2", "u3", "u4"]
NOBODY = "00000000-0000-7000-8000-000000000000"
PERMISSIONS = [WORK, LEAD, "users:read", "domains:create"]
COMMANDS = [
    *["add_domain", "delete_domain", "add_user", "move_user", "delete_user", "sign_in"],
    *["ask", "assign", "revoke"] * 2,
]
DELEGATES = [("u1", role, "acme") for role in sorted(ROLES)] + [
    ("u2", role, "acme.eu") for role in ("keeper", "worker")
]
a_domain, a_user, a_role = (
    st.sampled_from([*DOMAINS, "acme.eu", "acme.eu.shop"]),
    st.sampled_from(USERS),
    st.sampled_from(sorted(ROLES)),
)


class Service:
    """The service on one engine, and the sessions of its users; each command says whether it was accepted."""

    def __init__(self, stage: Stage) -> None:
        stage.reset()
        with operator_unit(stage.settings, stage.database) as clearance:
            for role, permissions in ROLES.items():
                create_role(clearance, {"name": role})
                for permission in sorted(permissions):
                    grant_permission(clearance, role, permission)
        self.stage, self.ids, self.sessions = stage, dict[str, str](), {ADMIN: stage.as_(ALICE)}

    def run(self, command: str, *arguments: str) -> bool:
        answer = getattr(self, command)(*arguments)
        return bool(answer is not None and answer.status_code in (200, 201, 204))

    def add_domain(self, session: str, name: str) -> Any:
        return self.sessions[session].post("/v1/domains", json={"name": name})

    def delete_domain(self, session: str, name: str) -> Any:
        return self.sessions[session].delete(f"/v1/domains/{name}")

    def add_user(self, session: str, user: str, home: str) -> Any:
        answer = self.sessions[session].post("/v1/users", json={"username": user, "home": home})
        if answer.status_code == 201:
            self.ids[user] = answer.json["id"]
            body = {"token": answer.json["password_setup"]["token"], "new_password": NEW_PASSWORD}
            assert self.stage.caller().post("/v1/auth/password-setup", json=body).status_code == 204
        return answer

    def move_user(self, session: str, user: str, home: str) -> Any:
        return self._tagged(session, "PATCH", user, json={"home": home})

    def delete_user(self, session: str, user: str) -> Any:
        return self._tagged(session, "DELETE", user)

    def assign(self, session: str, user: str, role: str, domain: str) -> Any:
        answer = self.sessions[session].put(f"{self._user(user)}/roles/{role}", json={"domain": domain})
        return answer if answer.status_code == 201 else None

    def revoke(self, session: str, user: str, role: str, domain: str) -> Any:
        return self.sessions[session].delete(f"{self._user(user)}/roles/{role}?domain={domain}")

    def sign_in(self, user: str, domain: str, session: str) -> Any:
        body = {"username": user, "password": NEW_PASSWORD}
        caller: Caller = self.stage.caller()
        answer = caller.post("/v1/auth/login", json=body if domain == "root" else {**body, "domain": domain})
        if answer.status_code == 200:
            caller.tokens = answer.json
            self.sessions[session] = caller
        return answer

    def may(self, session: str, permission: str, domain: str) -> bool:
        answer = self.sessions[session].get(f"/v1/me/access?permission={permission}&domain={domain}")
        return bool(answer.status_code == 200 and answer.json["decision"])

    def seen(self, session: str) -> set[str]:
        answer = self.sessions[session].get("/v1/users?limit=200")
        return (
            {one["username"] for one in answer.json["items"]} & self.ids.keys()
            if answer.status_code == 200
            else set()
        )

    def _user(self, user: str) -> str:
        return f"/v1/users/{self.ids.get(user, NOBODY)}"

    def _tagged(self, session: str, method: str, user: str, **options: Any) -> Any:
        caller = self.sessions[session]
        tag = self.sessions[ADMIN].get(self._user(user)).headers.get("ETag", '"none"')
        return caller.call(method, self._user(user), headers={"If-Match": tag}, **options)


class DomainsInLockStep(RuleBasedStateMachine):
    """The model, and the service on some engines."""

    stages: Stages
    engines: tuple[str, ...] = ENGINES

    def __init__(self) -> None:
        super().__init__()
        self.model, self.begun = Model(), 0
        self.services = [Service(self.stages.get(engine)) for engine in self.engines]

    def do(self, command: str, *arguments: str) -> None:
        """The same command to all; they agree whether it is accepted."""
        after = deepcopy(self.model)
        try:
            getattr(after, command)(*arguments)
            expected = True
        except Refused:
            after, expected = self.model, False
        found = {service.stage.engine: service.run(command, *arguments) for service in self.services}
        assert set(found.values()) == {expected}, f"{command}{arguments}: the model says {expected}, {found}"
        self.model = after

    @initialize(given=st.sets(st.tuples(a_user, a_role, a_domain), max_size=5))
    def begin(self, given: set[tuple[str, str, str]]) -> None:
        for domain in DOMAINS[1:]:
            self.do("add_domain", ADMIN, domain)
        for user, home in zip(USERS, ("acme", "acme.eu", "acme.eu"), strict=False):
            self.do("add_user", ADMIN, user, home)
        for one in (*DELEGATES, *sorted(given - set(DELEGATES))):
            self.do("assign", ADMIN, *one)
        for user in USERS[:3]:
            self.sign_in(user, "root")

    @rule(command=st.sampled_from(COMMANDS), data=st.data())
    def run(self, command: str, data: st.DataObject) -> None:
        if command == "sign_in":
            self.sign_in(data.draw(a_user), data.draw(a_domain))
            return
        if command == "ask":
            self.ask(data.draw(st.sampled_from(PERMISSIONS)), data.draw(a_domain))
            return
        drawn = ARGUMENTS[command](self.model, data.draw)
        sessions = sorted(self.model.sessions)
        delegated = [name for name in sessions if self.model.sessions[name][0] in ("u1", "u2")]
        self.do(command, data.draw(st.sampled_from(sessions + 3 * delegated)), *drawn)
        self.look()

    def sign_in(self, user: str, domain: str) -> None:
        if user in self.model.homes or user in self.model.gone:  # a stranger's failures would count later
            self.begun += 1
            self.do("sign_in", user, domain, f"s{self.begun}")

    def ask(self, permission: str, domain: str) -> None:
        """In every session, whether it may do this there."""
        for session in sorted(self.model.sessions.keys() - {ADMIN}):
            expected = self.model.may(session, permission, domain)
            for service in self.services:
                assert service.may(session, permission, domain) is expected, (session, permission, domain)

    def look(self) -> None:
        """In every session, whom it may read."""
        for session in sorted(self.model.sessions):
            for service in self.services:
                assert service.seen(session) == self.model.seen(session), session

    def teardown(self) -> None:
        self.look()


def _held(model: Model, draw: Callable[[Any], Any]) -> tuple[str, ...]:
    """Mostly an assignment that there is."""
    there = sorted(model.given)
    return tuple(
        draw(st.sampled_from(there))
        if there and draw(st.integers(0, 3))
        else draw(st.tuples(a_user, a_role, a_domain))
    )


ARGUMENTS: dict[str, Callable[[Model, Callable[[Any], Any]], tuple[str, ...]]] = {
    "add_domain": lambda _, draw: (draw(a_domain),),
    "delete_domain": lambda _, draw: (draw(a_domain),),
    "add_user": lambda _, draw: (draw(a_user), draw(a_domain)),
    "move_user": lambda _, draw: (draw(a_user), draw(a_domain)),
    "delete_user": lambda _, draw: (draw(a_user),),
    "assign": lambda _, draw: (draw(a_user), draw(a_role), draw(a_domain)),
    "revoke": _held,
}
