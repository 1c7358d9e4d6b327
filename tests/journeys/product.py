"""The commands of the standard as requests; each says whether it was accepted, that is whether it changed something."""

from __future__ import annotations

from typing import Any

from tests.builders import Caller, Stage
from tests.cast import ALICE, NEW_PASSWORD
from tests.journeys.deviations import snake

NOBODY = "00000000-0000-7000-8000-000000000000"
KINDS = {"Ssd": "static", "Dsd": "dynamic"}


class Product:
    """The service on one engine, driven by an administrator; and its users, each in sessions of her own."""

    def __init__(self, stage: Stage, permissions: list[str]) -> None:
        stage.reset()
        self.stage, self.ids, self.sessions = stage, dict[str, str](), dict[str, Caller]()
        self.admin = stage.as_(ALICE)
        for name in permissions:
            assert (
                self.admin.post(
                    "/v1/permissions", json={"name": name, "description": "Of a model."}
                ).status_code
                == 201
            )

    def run(self, command: str, *arguments: Any) -> bool:
        """Whether the service accepted the command."""
        accepted: bool = getattr(self, snake(command))(*arguments)
        return accepted

    def made(self, method: str, path: str, **options: Any) -> bool:
        """Whether something was created or ended; a PUT that found it so already changed nothing."""
        return self.admin.call(method, path, **options).status_code in (201, 204)

    def add_user(self, user: str) -> bool:
        answer = self.admin.post("/v1/users", json={"username": user})
        if answer.status_code != 201:
            return False
        self.ids[user] = answer.json["id"]
        body = {"token": answer.json["password_setup"]["token"], "new_password": NEW_PASSWORD}
        assert self.stage.caller().post("/v1/auth/password-setup", json=body).status_code == 204
        return True

    def delete_user(self, user: str) -> bool:
        return self.ended_now(self.user(user))

    def add_role(self, role: str) -> bool:
        return self.made("POST", "/v1/roles", json={"name": role})

    def delete_role(self, role: str) -> bool:
        return self.ended_now(f"/v1/roles/{role}", "?force=true")

    def assign_user(self, user: str, role: str) -> bool:
        return self.made("PUT", f"{self.user(user)}/roles/{role}", json={})

    def deassign_user(self, user: str, role: str) -> bool:
        return self.made("DELETE", f"{self.user(user)}/roles/{role}")

    def grant_permission(self, permission: str, role: str) -> bool:
        return self.made("PUT", f"/v1/roles/{role}/permissions/{permission}")

    def revoke_permission(self, permission: str, role: str) -> bool:
        return self.made("DELETE", f"/v1/roles/{role}/permissions/{permission}")

    def add_inheritance(self, senior: str, junior: str) -> bool:
        return self.made("PUT", f"/v1/roles/{senior}/inherits/{junior}")

    def delete_inheritance(self, senior: str, junior: str) -> bool:
        return self.made("DELETE", f"/v1/roles/{senior}/inherits/{junior}")

    def add_ascendant(self, senior: str, junior: str) -> bool:
        known = self.admin.get(f"/v1/roles/{junior}").status_code == 200
        return known and self.add_role(senior) and self.add_inheritance(senior, junior)

    def add_descendant(self, senior: str, junior: str) -> bool:
        known = self.admin.get(f"/v1/roles/{senior}").status_code == 200
        return known and self.add_role(junior) and self.add_inheritance(senior, junior)

    def create_set(self, kind: str, name: str, roles: frozenset[str], limit: int) -> bool:
        body = {"name": name, "kind": KINDS[kind], "roles": sorted(roles), "limit": limit}
        return self.made("POST", "/v1/constraints", json=body)

    def change_set(self, kind: str, name: str, roles: frozenset[str], limit: int) -> bool:
        """AddSsdRoleMember, DeleteSsdRoleMember, SetSsdSetCardinality and their like: a document with the set as it is to be."""
        entry = {"name": name, "kind": KINDS[kind], "roles": sorted(roles), "limit": limit}
        revision = self.admin.get("/v1/policy").headers["ETag"]
        answer = self.admin.post(
            "/v1/policy/apply", json={"constraints": [entry]}, headers={"If-Match": revision}
        )
        return bool(answer.status_code == 200)

    def delete_set(self, kind: str, name: str) -> bool:
        return self.made("DELETE", f"/v1/constraints/{name}")

    def create_session(self, user: str, session: str, roles: frozenset[str] | None) -> bool:
        body: dict[str, Any] = {"username": user, "password": NEW_PASSWORD}
        caller = self.stage.caller()
        answer = caller.post(
            "/v1/auth/login", json=body if roles is None else {**body, "roles": sorted(roles)}
        )
        caller.tokens = answer.json if answer.status_code == 200 else {}
        if caller.tokens:
            self.sessions[session] = caller
        return bool(caller.tokens)

    def delete_session(self, user: str, session: str) -> bool:
        return self.hers("POST", session, "/v1/auth/logout")

    def add_active_role(self, user: str, session: str, role: str) -> bool:
        return self.hers(
            "PUT", session, f"/v1/me/activations/{role}", json={"duration": 600, "reason": "A model's."}
        )

    def drop_active_role(self, user: str, session: str, role: str) -> bool:
        return self.hers("DELETE", session, f"/v1/me/activations/{role}")

    def hers(self, method: str, session: str, path: str, **options: Any) -> bool:
        """Whether a request within a session was accepted; an ended one answers 401."""
        caller = self.sessions.get(session)
        return caller is not None and caller.call(method, path, **options).status_code < 300

    def user(self, name: str) -> str:
        return f"/v1/users/{self.ids.get(name, NOBODY)}"

    def ended_now(self, path: str, query: str = "") -> bool:
        found = self.admin.get(path)
        if found.status_code != 200:
            return False
        answer = self.admin.delete(path + query, headers={"If-Match": found.headers["ETag"]})
        return bool(answer.status_code == 204)

    # Review functions: names, as sets
    def review(self, function: str, *arguments: Any) -> frozenset[str]:
        found: frozenset[str] = getattr(self, f"review_{snake(function)}")(*arguments)
        return found

    def review_assigned_users(self, role: str) -> frozenset[str]:
        return self.people(f"/v1/roles/{role}/members?limit=200")

    def review_authorized_users(self, role: str) -> frozenset[str]:
        return self.people(f"/v1/roles/{role}/members?effective=true&limit=200")

    def review_assigned_roles(self, user: str) -> frozenset[str]:
        return frozenset(entry["role"] for entry in self.seen(f"{self.user(user)}/roles")["direct"])

    def review_authorized_roles(self, user: str) -> frozenset[str]:
        return frozenset(entry["role"] for entry in self.seen(f"{self.user(user)}/roles")["effective"])

    def review_user_permissions(self, user: str) -> frozenset[str]:
        return frozenset(self.seen(f"{self.user(user)}/roles")["permissions"])

    def review_role_permissions(self, role: str) -> frozenset[str]:
        return frozenset(self.seen(f"/v1/roles/{role}")["effective_permissions"])

    def review_permission_holders(self, permission: str) -> frozenset[str]:
        return self.people(f"/v1/permissions/{permission}/holders?limit=200")

    def review_role_set(self, name: str) -> frozenset[str]:
        return frozenset(self.seen(f"/v1/constraints/{name}")["roles"])

    def review_session_roles(self, session: str) -> frozenset[str]:
        return frozenset(self.sessions[session].get("/v1/me").json["roles"])

    def review_session_permissions(self, session: str) -> frozenset[str]:
        return frozenset(self.sessions[session].get("/v1/me").json["permissions"])

    def check_access(self, session: str, permission: str) -> bool:
        decided: bool = self.sessions[session].get(f"/v1/me/access?permission={permission}").json["decision"]
        return decided

    def people(self, path: str) -> frozenset[str]:
        """Those of the model: the cast has roles, too, and holds everything."""
        names = {entry["user"]["username"] for entry in self.seen(path)["items"]}
        return frozenset(names & self.ids.keys())

    def seen(self, path: str) -> dict[str, Any]:
        answer = self.admin.get(path)
        assert answer.status_code == 200, (path, answer.json)
        return dict(answer.json)
