"""Policy documents of one domain: how they are sent, what is outside of a domain, and random ones."""

from __future__ import annotations

from copy import deepcopy
from random import Random
from typing import Any

import pytest

from tests.builders import Caller, Stage
from tests.guard.tenants import administrator, prepare

EMPTY: dict[str, list[Any]] = {"domains": [], "roles": [], "constraints": [], "assignments": []}
OWN: dict[str, Any] = {
    "domains": [{"name": "acme.shop", "description": "Sells."}],
    "roles": [
        {"name": "seller@acme", "description": "Sells.", "permissions": ["invoices:read"], "inherits": ["clerk"]},
        {"name": "buyer@acme", "description": "Buys."},
    ],
    "constraints": [{"name": "apart@acme", "kind": "static", "roles": ["buyer@acme", "seller@acme"], "limit": 2}],
    "assignments": [
        {"user": "ann", "role": "seller@acme", "domain": "acme.shop"},
        {"service_account": "robot-acme", "role": "clerk", "domain": "acme"},
    ],
}  # fmt: skip
NOTHING_TO_DO = "0 to add, 0 to change, 0 to remove"
TABLES = {
    "users": "home, id, username, email, display_name, kind, status, password_hash, created_at", "roles": "home, t.*",
    "constraints": "home, t.*", "domains": "name, t.*", "assignments": "domain, t.*", "permissions": "'root', t.*",
}  # fmt: skip
EDGES = {
    "role_permissions": ("roles", "role_id"), "role_inheritance": ("roles", "senior_id"),
    "constraint_roles": ("constraints", "constraint_id"),
}  # fmt: skip


def of(path: str, domain: str = "acme", **more: str) -> str:
    return f"/v1/policy{path}?" + "&".join(
        f"{key}={value}" for key, value in {"domain": domain, **more}.items()
    )


def planned(caller: Caller, document: Any, domain: str = "acme", prune: str = "false") -> Any:
    return caller.post(of("/plan", domain, prune=prune), json=document)


def applied(caller: Caller, document: Any, domain: str = "acme", prune: str = "false") -> Any:
    tag = {"If-Match": caller.get(of("", domain)).headers["ETag"]}
    return caller.post(of("/apply", domain, prune=prune), json=document, headers=tag)


def outside(stage: Stage, domain: str) -> dict[str, list[str]]:
    """Every row that a policy could touch and that is not in the domain, as a whole: of accounts all but the version and its time, since
    tokens of those who have a role of the domain become outdated when it changes."""

    def of_rows(rows: list[Any]) -> list[str]:
        return sorted(str(row) for row in rows if not f"{row[0]}.".startswith(f"{domain}."))

    found = {name: of_rows(stage.query(f"SELECT {all_of} FROM {name} t")) for name, all_of in TABLES.items()}
    for name, (table, key) in EDGES.items():
        rows = stage.query(f"SELECT o.home, e.* FROM {name} e JOIN {table} o ON o.id = e.{key}")
        found[name] = of_rows(rows)
    held = stage.query("SELECT u.home, a.* FROM assignments a JOIN users u ON u.id = a.user_id")
    return {**found, "assigned": of_rows(held)}


@pytest.fixture
def ada(stage: Stage) -> Caller:
    """Ada has the role ``admin`` at ``acme``."""
    prepare(stage)
    return administrator(stage)


def grow(random: Random) -> dict[str, list[Any]]:
    """A random tree, with roles, constraints and assignments in it."""
    places = ["root", "acme", "acme-eu", "globex", "acme.eu"]
    for number in range(random.randint(1, 5)):
        above = random.choice(places[1:])
        places.append(f"{above}.t{number}")
    document: dict[str, list[Any]] = {**deepcopy(EMPTY), "domains": [{"name": one} for one in places[5:]]}
    homes = {}
    for number in range(6):
        home = random.choice(places[1:])
        name = f"r{number}@{home}"
        above_it = [one for one, at in homes.items() if f"{home}.".startswith(f"{at}.")]
        document["roles"].append({
            "name": name, "description": "", "permissions": random.sample(["invoices:read", "invoices:approve"], random.randint(0, 2)),
            "inherits": random.sample(above_it, random.randint(0, min(1, len(above_it)))),
        })  # fmt: skip
        homes[name] = home
        document["constraints"].append(
            {"name": f"c{number}@{home}", "kind": "max-holders", "roles": [name], "limit": 50}
        )
        below = random.choice([one for one in places if f"{one}.".startswith(f"{home}.")])
        holder = random.choice(["ann", "eve", "amy", "gus-foreign", "rob-foreign", "dot-foreign"])
        document["assignments"].append({"user": holder, "role": name, "domain": below})
    return document


def attempt(
    random: Random, at: str, accounts: list[str], roles: list[str], held: list[str]
) -> dict[str, Any]:
    """A document of a domain as one who wants more may write it: a role of these permissions and above these roles, and assignments."""
    name = "policy-role" if at == "root" else f"policy-role@{at}"
    inherits = random.sample(roles, random.randint(0, 1))
    made = {"name": name, "description": "", "permissions": random.sample(held, 1), "inherits": inherits}
    places = [at, f"{at}.policy", "root"] if at != "root" else [at, "policy"]
    given = []
    for account, role in zip(random.sample(accounts, 2), (name, random.choice(roles)), strict=True):
        place = random.choice([at, at, at, *places])
        given.append({"user": account, "role": role, "domain": place})
    domains = [{"name": places[1]}] if random.random() < 0.3 else []
    sections = {"domains": domains, "roles": [made], "assignments": given}
    return {key: value for key, value in sections.items() if random.random() < 0.7}
