"""Makes a database ready: schema, built-in roles, a signing key, the first administrator, example data."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rbac_api.capabilities.assignments.service import Terms, assign_role
from rbac_api.capabilities.keys.service import ensure_key, needs_key
from rbac_api.capabilities.passwords.service import password_problem
from rbac_api.capabilities.policy.service import (
    EXAMPLE,
    SYSTEM,
    is_system_as_built_in,
    load_document,
    read_file,
    reconcile_system,
)
from rbac_api.capabilities.sessions.service import Termination, close_all_sessions
from rbac_api.capabilities.users.service import NewUser, add_user, no_users
from rbac_api.database.engine import Database
from rbac_api.database.migrate import is_empty, upgrade
from rbac_api.database.requirements import ensure_requirements
from rbac_api.decision.document import Document
from rbac_api.decision.evaluate import ADMIN
from rbac_api.decision.names import username_problem
from rbac_api.guard.enforcement.assembly import assemble
from rbac_api.guard.enforcement.clearance import Clearance, operator_clearance
from rbac_api.guard.enforcement.unit_of_work import UnitOfWork
from rbac_api.guard.hashing import Hasher
from rbac_api.guard.tokens.installation import INSTANCE_KEY, REMEDY, differences, present, record_instance
from rbac_api.guard.tokens.queries_installation import read_instance
from rbac_api.settings import Settings, SettingsRefused
from rbac_api.trail.recorder import Target

WRITE_LOCK_SECONDS = 600.0  # seconds for which a start waits for the write lock


@dataclass(slots=True)
class Prepared:
    """What preparing did. ``password`` is set only if one was generated, and is kept nowhere else."""

    lines: list[str] = field(default_factory=list)
    # risks of the database, see ``database/requirements.py``
    warnings: list[str] = field(default_factory=list)
    username: str | None = None
    password: str | None = None


@contextmanager
def operator_unit(
    settings: Settings, database: Database, *, writes: bool = True, system: bool = False
) -> Iterator[Clearance]:
    """Run one unit of work with the operator's (or the system's) clearance, outside any request."""
    runtime, _, _ = assemble(settings, database)
    try:
        with UnitOfWork(database, writes=writes) as work:
            yield operator_clearance(work, runtime, system=system)
    finally:
        runtime.close()


def prepare(settings: Settings, database: Database) -> Prepared:
    """Make a database ready, from any state. Safe to repeat, and for several nodes to run at once.

    If there is nothing to do, it only reads. Otherwise it waits for the write lock.
    """
    done = Prepared(warnings=ensure_requirements(database))
    if is_empty(database):
        _require_good_administrator(settings)  # before anything is written
    with database.patient(WRITE_LOCK_SECONDS):
        before, after = upgrade(database)
        if before != after:
            done.lines.append(f"Database schema: migrated from {before or 'nothing'} to {after}.")
        _prepare_system(settings, database, done)
        _prepare_people(settings, database, done)
    return done


def _prepare_system(settings: Settings, database: Database, done: Prepared) -> None:
    document = read_file(SYSTEM)
    with operator_unit(settings, database, writes=False) as clearance:
        if _is_system_ready(clearance, document):
            return
    with operator_unit(settings, database, system=True) as clearance:
        changed = reconcile_system(clearance, document)
        if changed:
            done.lines.append(f"Built-in permissions and roles: {changed} created or updated.")
        if ensure_key(clearance):
            done.lines.append(f"Signing key: created, {settings.signing_algorithm}.")
        done.lines += settle_instance(clearance)


def _is_system_ready(clearance: Clearance, document: Document) -> bool:
    """Return True if there is nothing to write. It only reads, so a start need not wait for writers."""
    connection, settings = clearance.connection, clearance.settings
    agreed = bool(read_instance(connection)) and not differences(connection, settings)
    return agreed and is_system_as_built_in(clearance, document) and not needs_key(clearance)


def settle_instance(clearance: Clearance) -> list[str]:
    """Record what all nodes must agree on, unless another node did; return a message about it.

    An SQLite file has one node, so it takes this node's issuer and audience.
    """
    connection, settings = clearance.connection, clearance.settings
    if not read_instance(connection):
        if not clearance.snapshot.keyring.external:
            clearance.snapshot.keyring.as_of(connection)  # with another secret no key can be decrypted
        record_instance(connection, settings)
        return []
    found = differences(connection, settings)
    if found and settings.on_sqlite and INSTANCE_KEY not in found:
        adopt_issuer(clearance)
        return [
            (
                f"Issuer and audience: now {settings.issuer_url} and {settings.audience}. All users "
                "must sign in again."
            )
        ]
    return [f"NOT READY: {'; '.join(found.values())}. {REMEDY}"] if found else []


def adopt_issuer(clearance: Clearance) -> None:
    """Make the issuer and the audience of these settings those of all nodes.

    Earlier tokens are refused, so their sessions end.

    ``SettingsRefused`` if the secret is not that of the other nodes.
    """
    connection, settings = clearance.connection, clearance.settings
    before, found = read_instance(connection), differences(connection, settings)
    if INSTANCE_KEY in found:
        raise SettingsRefused([f"{found[INSTANCE_KEY]}: restore the original"])
    if found:
        record_instance(connection, settings)
        ended = close_all_sessions(connection, settings, Termination(None, "admin"))
        after = {name: value for name, value in present(settings).items() if name != INSTANCE_KEY}
        facts = {
            "before": {name: before.get(name) for name in after},
            "after": {**after, "sessions_ended": len(ended)},
        }
        clearance.record(
            "issuer.changed", Target("instance", settings.issuer_url, settings.issuer_url), **facts
        )


def _prepare_people(settings: Settings, database: Database, done: Prepared) -> None:
    with operator_unit(settings, database, writes=False) as clearance:
        if not no_users(clearance):
            return
    password = settings.admin_password or secrets.token_urlsafe(18)
    _require_good_administrator(settings)
    hashed = hash_password(settings, password)
    with operator_unit(settings, database, system=True) as clearance:
        if not no_users(clearance):
            return  # another node was first
        create_administrator(
            clearance,
            settings.admin_username,
            hashed,
            final=bool(settings.admin_password),
            reason="first administrator",
        )
        if settings.wants_example:
            loaded = load_document(clearance, read_file(EXAMPLE), EXAMPLE.name)
            done.lines.append(
                f"Example company: {loaded.users} people, {loaded.roles} roles, "
                f"{loaded.permissions} permissions."
            )
    done.username = settings.admin_username
    done.password = None if settings.admin_password else password


def _require_good_administrator(settings: Settings) -> None:
    """Refuse a first administrator whose name or password the API would refuse."""
    faults = []
    if problem := username_problem(settings.admin_username):
        faults.append(f"RBAC_ADMIN_USERNAME: {problem}")
    weakness = password_problem(settings.admin_password, settings.admin_username)
    if settings.admin_password and weakness:
        faults.append(f"RBAC_ADMIN_PASSWORD: {weakness[1]}")
    if faults:
        raise SettingsRefused(faults)


def create_administrator(
    clearance: Clearance, username: str, hashed: str, *, final: bool, reason: str
) -> None:
    """Create a user who holds ``admin``; 409 if the name is or was in use."""
    user = add_user(clearance, NewUser(username=username, password_hash=hashed, password_final=final))
    assign_role(clearance, user.id, ADMIN, Terms(reason=reason))
    clearance.record(
        "admin.created", Target("user", user.id, username), after={"password_temporary": not final}
    )


def hash_password(settings: Settings, password: str) -> str:
    """Hash a password outside any application."""
    hasher = Hasher(settings)
    try:
        return hasher.hash(password)
    finally:
        hasher.close()
