"""A thousand rows in each table of a frozen database, with their references, by SQL alone: no code of ours knows an old schema."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import Connection, Engine, inspect

ROWS = 1000
LATEST = "0023"
_NUMBERS = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {0}) SELECT i FROM n) AS n",
    "postgresql": "generate_series(1, {0}) AS n(i)",
}
_ID = {"sqlite": "printf('{0}%030x', i)", "postgresql": "('{0}' || lpad(to_hex(i), 30, '0'))::uuid"}
_WORDS = {
    "sqlite": {"no": "0", "yes": "1", "text": "CAST(i AS text)", "bytes": "x'61'"},
    "postgresql": {"no": "false", "yes": "true", "text": "i::text", "bytes": "'a'::bytea"},
}
_AT = "'2026-01-02 03:04:05.678901'"
_LATER = "'2026-02-03 04:05:06'"
# revision: what it adds to tables that were there before.
ADDED: dict[str, dict[str, frozenset[str]]] = {
    "0001": {},
    "0002": {
        "users": frozenset({"kind"}),
        "roles": frozenset({"requires_mfa"}),
        "sessions": frozenset({"amr", "client_secret_id"}),
        "signing_keys": frozenset({"withdrawn_at"}),
    },
    "0003": {
        "assignments": frozenset({"mode", "max_duration"}),
        "sessions": frozenset({"active_roles"}),
    },
    "0004": {},
    "0005": {"users": frozenset({"search_text"})},
    "0006": {"signing_keys": frozenset({"signs_from"})},
    "0007": {"roles": frozenset({"title"}), "permissions": frozenset({"title"})},
    "0008": {},
    "0009": {},
    "0010": {},
    "0011": {
        "trail_events": frozenset({"personal"}),
        "trail_outbox": frozenset({"personal", "personal_values"}),
        "users": frozenset({"erased_at"}),
    },
    "0012": {},
    "0013": {"trail_outbox": frozenset({"decision"})},
    "0014": {},
    "0015": {},
    "0016": {},
    "0017": {},
    "0018": {},
    "0019": {"assignments": frozenset({"domain"})},
    "0020": {table: frozenset({"home"}) for table in ("users", "roles", "constraints")},
    "0021": {"sessions": frozenset({"domain"})},
    "0022": {table: frozenset({"domain"}) for table in ("trail_events", "trail_outbox")},
    "0023": {},
}
# revision: table: the values of its columns.  An id is two digits that say of what it is.
TABLES: dict[str, dict[str, str]] = {
    "0001": {
        "followers": "{text}",
        "users": "{a1}, 'Per ' || {text}, 'per ' || {text}, {text} || '@x.example', NULL, 'Ærlig O’Ødegård', 'active', '$2b$12$x', {no},"
        " {at}, 3, 2, {at}, {later}, NULL, NULL",
        "permissions": "{b1}, 'thing-' || {text} || ':read', 'See it.', {no}, {at}, NULL",
        "roles": "{c1}, 'role-' || {text}, '', {yes}, 'listed', 1, {at}, {at}, NULL",
        "role_permissions": "{d1}, {c1}, {b1}, {at}, NULL",
        "role_inheritance": "{e1}, {c1}, {c1}, {at}, {later}",
        "assignments": "{f1}, {a1}, {c1}, {at}, {later}, 'because', {a1}, {at}",
        "sessions": "{a2}, {a1}, 'first-party', {at}, {at}, {later}, {later}, 1, '192.0.2.1', 'curl', {later}, NULL, 'logout'",
        "refresh_tokens": "{b2}, {a2}, 1, {at}, {later}, NULL, {b2}, '192.0.2.1'",
        "password_setups": "{text}, {a1}, {at}, {later}, NULL",
        "idempotency_keys": "'me', {text}, 'f', 201, '/v1/roles/x', 'sealed', {at}, {later}",
        "signin_attempts": "{text}, 3, {at}, NULL",
        "signing_keys": "{text}, 'EdDSA', '{{}}', 'sealed', {at}, NULL",
        "trail_events": "i, {at}, 'user', {text}, 'per', {a2}, 'role.created', 'role', 'x', 'x', 'success', NULL, NULL, '{{}}', NULL,"
        " 'r', 'p', 'h'",
    },
}
TABLES["0002"] = {
    **TABLES["0001"],
    "users": TABLES["0001"]["users"] + ", 'service'",
    "roles": TABLES["0001"]["roles"] + ", {yes}",
    "sessions": TABLES["0001"]["sessions"] + ", 'pwd otp', {b2}",
    "signing_keys": TABLES["0001"]["signing_keys"] + ", NULL",
    "service_accounts": "{a1}, 'Exports.', NULL",
    "client_secrets": "{b2}, {a1}, {text}, {at}, NULL, {later}, NULL, NULL",
    "totp_factors": "{a1}, 'sealed', {at}, {at}, i",
    "recovery_codes": "{text}, {a1}, {at}, NULL",
    "revocations": "i, 'sid', {text}, NULL, {at}, {later}",
    "incidents": "{b2}, 'lockout', {text}, {a1}, NULL, {at}, 1, NULL, NULL, NULL, '192.0.2.1', 'curl', {at}, NULL, NULL, NULL",
}
TABLES["0003"] = {
    **TABLES["0002"],
    "assignments": TABLES["0001"]["assignments"] + ", 'eligible', 3600",
    "sessions": TABLES["0002"]["sessions"] + ", 'clerk chief'",
    "constraints": "{b2}, 'rule-' || {text}, 'static', 2, {at}, NULL",
    "constraint_roles": "{b2}, 0, {c1}",
    "activations": "{b2}, {a2}, {a1}, {c1}, {at}, {later}, 'because'",
    "decisions": "{b2}, i, {at}, {a1}, {a2}, 'roles:read', NULL, 'access.denied', 'No.', {no}, 'clerk'",
    "policy_changes": "i, {at}, 'h', '[]', NULL",
}
TABLES["0004"] = TABLES["0003"]
TABLES["0005"] = {
    **TABLES["0004"],
    "users": TABLES["0004"]["users"] + ", 'per ' || {text}",
}
TABLES["0006"] = {
    **TABLES["0005"],
    "signing_keys": TABLES["0002"]["signing_keys"] + ", {at}",
    "key_uses": "{text}, 'EdDSA', 'sealed', {at}, {at}, {later}, {later}, NULL",
    "instance": "{text}, 'https://rbac.example'",
}
TABLES["0007"] = {
    **TABLES["0006"],
    "roles": TABLES["0006"]["roles"] + ", NULL",
    "permissions": TABLES["0006"]["permissions"] + ", NULL",
}
TABLES["0008"] = {
    **TABLES["0007"],
    "trail_outbox": "i, {at}, 'user', {text}, 'per', {a2}, 'token.rotated', 'session', 'x', 'x', 'success', NULL, NULL, '{{}}', NULL,"
    " 'r'",
}
TABLES["0009"] = TABLES["0008"]
TABLES["0010"] = {
    **TABLES["0009"],
    "permission_uses": "{a1}, 'roles:read', '2026-01-02', {no}, 3, {at}",
}

TABLES["0011"] = {
    **TABLES["0010"],
    "users": TABLES["0010"]["users"] + ", NULL",
    "trail_events": TABLES["0010"]["trail_events"] + ", NULL",
    "trail_outbox": TABLES["0010"]["trail_outbox"] + ", '{{}}', '[]'",
    "personal_values": "i, 0, {a1}, '192.0.2.1', '{{}}'",
}
TABLES["0012"] = TABLES["0011"]
TABLES["0013"] = {
    **TABLES["0012"],
    "trail_outbox": TABLES["0012"]["trail_outbox"] + ", NULL",
}
TABLES["0014"] = {**TABLES["0013"], "trail_nodes": "6, i, {bytes}"}
TABLES["0015"] = TABLES["0014"]
TABLES["0016"] = TABLES["0015"]
TABLES["0017"] = TABLES["0016"]  # triggers fill the new table
TABLES["0018"] = TABLES["0017"]
TABLES["0019"] = {
    **TABLES["0018"],
    "assignments": TABLES["0018"]["assignments"] + ", 'acme.eu'",
    "domains": "{b2}, 'place-' || {text}, NULL, '', {at}, NULL",
}
TABLES["0020"] = {
    **TABLES["0019"],
    **{table: TABLES["0019"][table] + ", 'acme.eu'" for table in ("users", "roles", "constraints")},
}
TABLES["0021"] = {**TABLES["0020"], "sessions": TABLES["0020"]["sessions"] + ", 'acme.eu'"}
TABLES["0022"] = {
    **TABLES["0021"],
    **{table: TABLES["0021"][table] + ", NULL" for table in ("trail_events", "trail_outbox")},
    "trail_domains": "'acme.eu', i",
}
TABLES["0023"] = TABLES["0022"]


def populate(connection: Connection, revision: str) -> None:
    """Fill every table that the revision knows."""
    engine = connection.dialect.name
    ids = {name: _ID[engine].format(name) for name in ("a1", "b1", "c1", "d1", "e1", "f1", "a2", "b2")}
    for table, values in TABLES[revision].items():
        told = values.format(**ids, **_WORDS[engine], at=_typed(_AT, engine), later=_typed(_LATER, engine))
        numbers = _NUMBERS[engine].format(ROWS)
        connection.exec_driver_sql(
            f"INSERT INTO {table} SELECT {told} FROM {numbers}".replace("%", _percent(engine))
        )


def contents(engine: Engine, revision: str) -> dict[str, str]:
    """Of each table of the revision, the hash of all its rows, in the columns that it had then."""
    with engine.connect() as connection:
        return {table: _digest(connection, table, _later(table, revision)) for table in TABLES[revision]}


def schema(engine: Engine) -> dict[str, object]:
    """Everything about the schema that can differ between a fresh database and a migrated one."""
    seen, found = inspect(engine), {}
    for table in sorted(seen.get_table_names()):
        found[table] = {
            "columns": [
                (c["name"], str(c["type"]), c["nullable"], c["default"]) for c in seen.get_columns(table)
            ],
            "key": seen.get_pk_constraint(table),
            "references": sorted(map(str, seen.get_foreign_keys(table))),
            "unique": sorted(map(str, seen.get_unique_constraints(table))),
            "checks": sorted(map(str, seen.get_check_constraints(table))),
            "indexes": sorted(_index(index) for index in seen.get_indexes(table)),
        }
    return found


def _index(index: Any) -> str:
    conditions = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return str((index["name"], index["unique"], index["column_names"], sorted(conditions.items())))


def _later(table: str, revision: str) -> frozenset[str]:
    """The columns that later revisions add to a table."""
    added = [tables.get(table, frozenset()) for later, tables in ADDED.items() if later > revision]
    return frozenset().union(*added)


def _digest(connection: Connection, table: str, later: frozenset[str]) -> str:
    columns = [c["name"] for c in inspect(connection).get_columns(table) if c["name"] not in later]
    rows = connection.exec_driver_sql(f"SELECT {', '.join(columns)} FROM {table}").all()
    assert len(rows) == ROWS, table
    return hashlib.sha256("\n".join(sorted(map(str, rows))).encode()).hexdigest()


def _typed(moment: str, engine: str) -> str:
    return moment if engine == "sqlite" else f"{moment}::timestamptz"


def _percent(engine: str) -> str:
    return "%" if engine == "sqlite" else "%%"
