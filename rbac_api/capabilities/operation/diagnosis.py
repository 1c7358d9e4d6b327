"""Checks what a running service depends on, one thing after the other. Part of the service, in a file of its
own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from rbac_api import clock
from rbac_api.capabilities.constraints.service import violated_constraints
from rbac_api.capabilities.operation import queries
from rbac_api.database.migrate import schema_problem
from rbac_api.database.requirements import check_requirements
from rbac_api.errors import ServiceError
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.tokens.installation import REMEDY, differences
from rbac_api.settings import Settings
from rbac_api.trail.feed import newest_event

SEVERAL = 3  # users
OTHERS = 0o077  # the permissions of all users except the owner


@dataclass(frozen=True, slots=True)
class Finding:
    """One check; ``remedy`` says what to do about a fault, or about a risk, with which the service still
    answers correctly."""

    name: str
    ok: bool
    detail: str
    remedy: str | None = None
    risk: bool = False


def diagnose(clearance: Clearance) -> Iterator[Finding]:
    """Check files, database, schema, then everything that needs a current schema. Never raises for what it
    finds."""
    yield from _private_files(clearance.settings)
    try:
        problem = schema_problem(clearance.work.database)
    except ServiceError as fault:
        detail = " ".join((fault.internal or fault.detail).split())
        yield Finding("database", False, f"does not answer: {detail}", _remedy_of_silence(clearance.settings))
        return
    yield Finding("database", True, "answers")
    yield from _ground(clearance)
    if problem:
        yield Finding("schema", False, problem, "Run `rbac-api init`, or the release that fits the database.")
        return
    yield Finding("schema", True, "up to date")
    for name, look in _CHECKS.items():
        yield _looked(name, look, clearance)


def _remedy_of_silence(settings: Settings) -> str:
    if settings.on_sqlite:
        return (
            "Let this user read and write the file and its folder, or correct RBAC_DATA_DIR or "
            "RBAC_DATABASE_URL."
        )
    return "Start it, or correct RBAC_DATABASE_URL; this machine must be allowed to connect."


def _ground(clearance: Clearance) -> Iterator[Finding]:
    for result in check_requirements(clearance.work.database):
        need = result.need
        risk = not (result.met or need.essential)
        yield Finding(
            need.name, result.met or risk, result.detail, None if result.met else need.remedy, risk=risk
        )


def _proxy(clearance: Clearance) -> Finding:
    """Check for a proxy that RBAC_PROXY_HOPS does not count: all users then come from one address, the
    proxy's."""
    hops = clearance.settings.proxy_hops
    if hops:
        return Finding(
            "proxy", True, f"RBAC_PROXY_HOPS={hops}: so many entries of X-Forwarded-For are trusted"
        )
    users, addresses = queries.recent_addresses(clearance.connection)
    if users < SEVERAL or len(addresses) != 1:
        return Finding(
            "proxy", True, "RBAC_PROXY_HOPS=0: X-Forwarded-* is ignored, as is right without a proxy in front"
        )
    detail = (
        f"RBAC_PROXY_HOPS=0, and the last sign-ins, of {users} users, all came from {addresses[0]}: a "
        "proxy's address?"
    )
    remedy = "Set RBAC_PROXY_HOPS to the number of proxies in front: else all clients share one rate limit."
    return Finding("proxy", True, detail, remedy, risk=True)


def _looked(name: str, look: Callable[[Clearance], Finding], clearance: Clearance) -> Finding:
    try:
        return look(clearance)
    except ServiceError as fault:
        return Finding(name, False, fault.detail, "Follow the message, then run doctor again.")
    except DBAPIError as fault:
        detail = f"the database reports: {' '.join(str(fault.orig).split())}"
        return Finding(
            name, False, detail, "Restore what is missing from a backup, or correct RBAC_DATABASE_URL."
        )
    except ValueError as fault:
        return Finding(name, False, f"a row cannot be read: {fault}", "Run `rbac-api audit verify`.")


def _private_files(settings: Settings) -> Iterator[Finding]:
    folder = [(Path(settings.data_dir), "700")] if settings.embedded else []
    secret = [(Path(settings.data_dir) / "secret_key", "600")] if settings.embedded else []
    database = Path(settings.url.removeprefix("sqlite:///"))
    parts = ("", "-wal", "-shm") if settings.on_sqlite else ()
    files = [(database.with_name(database.name + part), "600") for part in parts]
    places = [(path, mode) for path, mode in (*folder, *secret, *files) if path.exists()]
    for path, mode in places:
        if path.stat().st_mode & OTHERS:
            detail = f"{path} can be used by others on this machine (mode {path.stat().st_mode & 0o777:o})"
            yield Finding("data folder", False, detail, f"Run: chmod {mode} {path}")
    if places and not any(path.stat().st_mode & OTHERS for path, _ in places):
        yield Finding("data folder", True, f"{places[0][0].absolute()} is accessible only to its owner")


def _trail(clearance: Clearance) -> Finding:
    missing = queries.missing_trail_triggers(clearance.connection)
    if not missing:
        return Finding("trail", True, "append-only: its triggers are in place")
    detail = f"not append-only: {', '.join(missing)} missing or disabled"
    remedy = (
        "Run `rbac-api audit verify --expect SEQ:HASH` with an event noted earlier, find out who removed "
        "the trigger,"
        " and put it back (migrations/versions/0001_first_schema.py has its text)."
    )
    return Finding("trail", False, detail, remedy)


def _clock(clearance: Clearance) -> Finding:
    allowed = timedelta(seconds=clearance.settings.clock_leeway_seconds)
    before, theirs, after = clock.now(), queries.database_time(clearance.connection), clock.now()
    newest = newest_event(clearance.connection)
    if theirs and not before - allowed <= theirs <= after + allowed:
        detail = (
            f"differs from the database's by {_seconds(theirs, after)} s; {allowed.seconds} s are allowed"
        )
        return Finding(
            "clock", False, detail, "Synchronise both machines' clocks (chrony, systemd-timesyncd)."
        )
    if newest and newest.at > clock.now() + allowed:
        detail = f"is {_seconds(newest.at, after)} s behind the trail's last event"
        remedy = "Correct this machine's clock: sessions and tokens would live too long."
        return Finding("clock", False, detail, remedy)
    return Finding("clock", True, f"{clock.rfc3339(after)}, not behind the trail" + _agrees(theirs))


def _keys(clearance: Clearance) -> Finding:
    key = clearance.snapshot.keyring.active()
    return Finding("signing key", True, f"{key.algorithm}, {key.kid}")


def _instance(clearance: Clearance) -> Finding:
    found = differences(clearance.connection, clearance.settings)
    if found:
        return Finding("instance", False, "; ".join(found.values()), REMEDY)
    return Finding("instance", True, "issuer, audience and secret are those of the other nodes")


def _cycles(clearance: Clearance) -> Finding:
    found = clearance.changed_graph().cycles
    if not found:
        return Finding("roles", True, "no inheritance cycle")
    named = "; ".join(", ".join(cycle) for cycle in found)
    remedy = "The database was changed directly: end one of the inheritances of each group."
    return Finding("roles", False, f"these inherit each other: {named}", remedy)


def _constraints(clearance: Clearance) -> Finding:
    broken = violated_constraints(clearance)
    if not broken:
        return Finding("constraints", True, "no violations")
    remedy = (
        "The database was changed directly: GET /v1/constraints/{name}/violations lists who; revoke a "
        "role from each, or delete the constraint."
    )
    return Finding("constraints", False, f"violated: {', '.join(broken)}", remedy)


def _administrator(clearance: Clearance) -> Finding:
    try:
        clearance.require_administrator_remains()
    except ServiceError:
        remedy = "Run `rbac-api recover-admin USERNAME` or `rbac-api create-admin USERNAME`."
        return Finding("administrator", False, "no user who can sign in holds the role admin", remedy)
    return Finding("administrator", True, "a user who can sign in holds the role admin")


def _seconds(one: datetime, other: datetime) -> str:
    return f"{abs((one - other).total_seconds()):.0f}"


def _agrees(theirs: datetime | None) -> str:
    return "" if theirs is None else ", and as the database's"


_CHECKS: dict[str, Callable[[Clearance], Finding]] = {
    "trail": _trail,
    "clock": _clock,
    "proxy": _proxy,
    "signing key": _keys,
    "instance": _instance,
    "roles": _cycles,
    "constraints": _constraints,
    "administrator": _administrator,
}
