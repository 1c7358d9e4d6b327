"""Every table is written only by whoever owns it: found in the source, for tables that come later too."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from rbac_api.database.tables import metadata

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "rbac_api"
OWNERS = {
    "activations": "capabilities/activations",
    "assignments": "capabilities/assignments",
    "client_secrets": "capabilities/service_accounts",
    "constraint_roles": "capabilities/constraints",
    "constraints": "capabilities/constraints",
    "decisions": "guard",  # written where something is refused
    "domains": "capabilities/domains",
    "followers": "database",
    "idempotency_keys": "guard",
    "incidents": "guard",  # opened where it is noticed
    "instance": "guard",
    "key_uses": "guard",
    "password_setups": "capabilities/users",
    "permission_uses": "guard",  # counted where it is decided
    "permissions": "capabilities/permissions",
    "personal_values": "trail",
    "policy_changes": "capabilities/policy",
    "recovery_codes": "capabilities/second_factor",
    "refresh_tokens": "capabilities/sessions",
    "revocations": "guard",
    "role_inheritance": "capabilities/roles",
    "role_permissions": "capabilities/roles",
    "roles": "capabilities/roles",
    "service_accounts": "capabilities/service_accounts",
    "sessions": "capabilities/sessions",
    "signin_attempts": "capabilities/attempts",
    "signing_keys": "capabilities/keys",
    "totp_factors": "capabilities/second_factor",
    "trail_domains": "trail",
    "trail_events": "trail",
    "trail_nodes": "trail",
    "trail_outbox": "trail",
    "users": "capabilities/users",
}
# Ending what somebody holds is part of deleting her; ``assignments`` stands on ``users``, so it cannot be asked to.
# Closing an incident is what the capability is there for.
LENT = {("capabilities/users", "assignments"), ("capabilities/incidents", "incidents")}
# A service account is a row of ``users`` too; whoever tells clients apart notes when a secret was used.
LENT |= {("capabilities/service_accounts", "users"), ("guard", "client_secrets")}
# What outdates tokens is raised by what revokes them, in the statement that also says who is signed in.
LENT |= {("guard", "users")}
# The row that explains a refusal is written with its event, which may wait for its number.
LENT |= {("trail", "decisions")}
# What was activated in a session goes with it.
LENT |= {("capabilities/sessions", "activations")}
# What is deleted, and was at home at a domain, is at home in its parent when the domain is deleted.
LENT |= {("capabilities/domains", table) for table in ("users", "roles", "constraints")}
# A policy is worked out without the lock and then written at once: its steps put rows of these tables aside for that.
LENT |= {
    ("capabilities/policy", table)
    for table in (
        "assignments", "constraint_roles", "constraints", "domains", "permissions", "role_inheritance", "role_permissions", "roles",
        "users",
    )
}  # fmt: skip
BY_TRIGGERS = {"user_search"}  # follows ``users``
ASIDE = PACKAGE / "database" / "pending.py"  # writes whatever was put aside
STATEMENTS = {"insert", "update", "delete"}
AS_TEXT = re.compile(r"(?:INSERT INTO|UPDATE|DELETE FROM|TRUNCATE|REPLACE INTO)\s+(\w+)")


def room(source: Path) -> str:
    parts = source.relative_to(PACKAGE).parts
    return "/".join(parts[:2]) if parts[0] == "capabilities" else parts[0]


def aliases(tree: ast.Module) -> dict[str, str]:
    """Local name → table, for every table the file imports."""
    return {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "rbac_api.database.tables"
        for alias in node.names
    }


def writes(source: Path) -> Iterator[str]:
    """The tables a file inserts into, updates or deletes from; a parameter counts as every table handed to its function."""
    if source == ASIDE:
        return
    tree = ast.parse(source.read_text(encoding="utf-8"))
    known = aliases(tree)
    yield from _put_aside(tree, known)
    calls = [
        (node.func.id, node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    for called, call in calls:
        if called in STATEMENTS and call.args and isinstance(call.args[0], ast.Name):
            name = call.args[0].id
            yield from [known[name]] if name in known else _handed(tree, call, calls, known)
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    yield from (found[1] for found in map(AS_TEXT.match, texts) if found)


def _put_aside(tree: ast.Module, known: dict[str, str]) -> Iterator[str]:
    """The tables in ``pending.add(table, …)`` and ``pending.change(table, …)``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("pending.add", "pending.change")):
            (name,) = (arg.id for arg in node.args[:1] if isinstance(arg, ast.Name))
            yield known[name]


def _handed(
    tree: ast.Module, call: ast.Call, calls: list[tuple[str, ast.Call]], known: dict[str, str]
) -> Iterator[str]:
    functions = {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and call in ast.walk(node)
    }
    callers = [other for called, other in calls if called in functions]
    handed = [arg.id for other in callers for arg in other.args if isinstance(arg, ast.Name)]
    found = [known[name] for name in handed if name in known]
    assert found, f"cannot tell which table is written: {ast.unparse(call)}"
    yield from found


def written() -> set[tuple[str, str]]:
    return {(room(source), table) for source in PACKAGE.rglob("*.py") for table in writes(source)}


def test_every_table_has_an_owner() -> None:
    assert set(OWNERS) | BY_TRIGGERS == set(metadata.tables)


def test_every_table_is_written_by_its_owner_alone() -> None:
    assert written() == {(owner, table) for table, owner in OWNERS.items()} | LENT


def test_a_writer_behind_a_parameter_is_found() -> None:
    assert set(writes(PACKAGE / "capabilities" / "roles" / "queries.py")) == {
        "roles",
        "role_permissions",
        "role_inheritance",
    }
