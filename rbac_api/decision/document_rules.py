"""Checks several values of an entry together; ``document_form`` checks each by itself.

A fault carries its code, so that no caller has to parse its words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from rbac_api.decision.domains import home_of
from rbac_api.decision.model import ROOT
from rbac_api.decision.naming import ROLE

Entry = Mapping[str, Any]
Place = tuple[str | int, ...]
INVALID, REQUIRED, UNKNOWN = "field.invalid", "field.required", "field.unknown"
# Several values, each of them right, do not fit together: a schema may be unable to say that.
TOGETHER = "field.together"


class EntryFault(NamedTuple):
    """What is wrong with an entry: where, in words, and the code for faults of this kind."""

    place: Place
    words: str
    code: str = INVALID


def missing(key: str) -> EntryFault:
    """Return the fault of a value that must not be missing."""
    return EntryFault((key,), f"{key} is missing", REQUIRED)


def moment_of(text: str | None) -> datetime | None:
    """Return the moment that a document names (RFC 3339 with an offset), in UTC; None for none."""
    if text is None:
        return None
    return datetime.fromisoformat(text.upper().replace("Z", "+00:00")).astimezone(UTC)


def domain_faults(entry: Entry) -> Iterator[EntryFault]:
    """Return what is wrong with a domain whose values are right, each by itself."""
    if entry["name"] == ROOT:
        yield _together("name", f"name: {ROOT} is the domain that all others are in; leave it out")


def full_name(entry: Entry) -> str:
    """Return the name of a role or a constraint with the ``home`` that its entry states apart from it."""
    name, home = str(entry["name"]), entry.get("home", ROOT)
    return name if "@" in name or home == ROOT else f"{name}@{home}"


def home_faults(entry: Entry) -> Iterator[EntryFault]:
    """Return what is wrong with the home of a role or a constraint."""
    name = full_name(entry)
    if "home" in entry and home_of(name) != entry["home"]:
        yield _together("home", f"home: the name {name} ends with another home; leave out one of the two")
    elif problem := ROLE.problem(name):
        yield _together("name", f"name: {problem}")


def constraint_faults(entry: Entry) -> Iterator[EntryFault]:
    """Return what is wrong with a constraint whose values are right, each by itself."""
    yield from home_faults(entry)
    kind, roles, limit = entry["kind"], entry["roles"], entry.get("limit")
    least = 1 if kind == "max-holders" else 2
    if len(set(roles)) < len(roles):
        yield _together("roles", "roles must be different from each other")
    if len(roles) < least:
        yield _together("roles", f"roles must be {least} or more")
    if kind == "requires" and limit is not None:
        yield _together("limit", "limit is not for constraints that require")
    if kind == "max-holders" and limit is None:
        yield missing("limit")
    if kind in ("static", "dynamic") and not (limit is not None and 2 <= limit <= len(roles)):
        yield _together("limit", f"limit must be from 2 to {max(2, len(roles))}, the number of roles")


def holder_faults(entry: Entry) -> Iterator[EntryFault]:
    """Check that an assignment names one holder."""
    named = "service_account" if "service_account" in entry else "user"
    if "service_account" in entry and "user" in entry:
        yield _together(named, "service_account and user are two holders; name one")
    elif named not in entry:
        yield _together(named, "user or service_account: name one")
    elif entry.get(named) in (None, ""):
        yield missing(named)


def assignment_faults(entry: Entry) -> Iterator[EntryFault]:
    """Return what is wrong with an assignment whose values are right, each by itself."""
    eligible = entry.get("mode") == "eligible"
    if "service_account" in entry and eligible:
        yield _together("mode", "mode must be active for a service account, which could not activate it")
    if entry.get("max_duration") is not None and not eligible:
        yield _together("max_duration", "max_duration is only for assignments with mode eligible")
    starts, ends = moment_of(entry.get("starts_at")), moment_of(entry.get("expires_at"))
    if starts and ends and ends <= starts:
        yield _together("expires_at", "expires_at must come after starts_at")


def _together(key: str, words: str) -> EntryFault:
    return EntryFault((key,), words, TOGETHER)
