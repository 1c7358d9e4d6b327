"""The form of a document's entries, said once: ``Member`` knows what is wrong with a value, and the same as JSON Schema.

So the reader and the published schema cannot drift apart.  What concerns more than one entry (names that come twice, circles) and what a
pattern cannot say (a username's characters, an end before its beginning) is the reader's alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

from rbac_api.decision.model import ConstraintKind, Grants, Mode
from rbac_api.decision.names import username_problem
from rbac_api.decision.naming import CONSTRAINT, LONGEST_TITLE, PERMISSION, ROLE, NameRule
from rbac_api.decision.texts import LINE, LINES, text_problem

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
Entry = Mapping[str, Any]
Place = tuple[str | int, ...]
# Of what is wrong with several values at once, each of them being right: what a schema may be unable to say.
MOST_ENTRIES = 4 * 1024 * 1024  # of a list; more do not fit into the largest body
TOGETHER = re.compile(
    r"name one$|must come after|only for assignments with|different from each other|which could not activate|the number of roles"
    r"|not for constraints that|comes \d+ times|differ by case alone|inherit themselves|roles must be \d or more"
)


@dataclass(frozen=True, slots=True)
class Member:
    """One key of an entry: what is wrong with its value (None: nothing), the same as JSON Schema, whether it may be missing; of a list
    also what is wrong with each of its items."""

    fault: Callable[[Any], str | None]
    schema: Mapping[str, Any]
    required: bool = False
    item: Member | None = None

    def faults(self, key: str, value: Any) -> Iterator[tuple[Place, str]]:
        """(path, words) for everything that is wrong with the value of this key."""
        if words := self.fault(value):
            yield (key,), _after(key, words)
        elif self.item is not None:
            for place, each in enumerate(value):
                if words := self.item.fault(each):
                    yield (key, place), _after(f"{key}[{place + 1}]", words)


def moment_of(text: str | None) -> datetime | None:
    """The moment that a document names (RFC 3339 with an offset), in UTC; None for none."""
    if text is None:
        return None
    return datetime.fromisoformat(text.upper().replace("Z", "+00:00")).astimezone(UTC)


def entry_faults(section: str, entry: Entry) -> Iterator[tuple[Place, str]]:
    """(path, words) for everything that is wrong with one entry."""
    members, wrong = FORMS[section], False
    for key, member in members.items():
        for place, words in _member_faults(key, member, entry):
            wrong = True
            yield place, words
    yield from (((str(key),), f"{key} is unknown") for key in entry if key not in members)
    if section == "assignments":
        yield from (((key,), words) for key, words in _holder_faults(entry))
    if not wrong and section in _TOGETHER:
        yield from (((key,), words) for key, words in _TOGETHER[section](entry))


def _member_faults(key: str, member: Member, entry: Entry) -> Iterator[tuple[Place, str]]:
    if member.required and entry.get(key) in (None, ""):
        yield (key,), f"{key} is missing"
    elif key in entry:
        yield from member.faults(key, entry[key])


def _after(name: str, words: str) -> str:
    return f"{name}{'' if words.startswith(':') else ' '}{words}"


def document_schema() -> dict[str, Any]:
    """The format of documents as JSON Schema, draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "/schemas/policy.json",
        "title": "Policy document of rbac-api",
        "description": "Permissions, roles, rules about roles and who has which role. Seed files, exports and plans share it;"
        " every section may be missing. `users` is for seed files alone. A role's name must not come twice, roles must not inherit"
        " themselves, and `expires_at` comes after `starts_at`.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            section: {"type": "array", "maxItems": MOST_ENTRIES, "items": _entry_schema(section)}
            for section in FORMS
        },
    }


def _entry_schema(section: str) -> dict[str, Any]:
    members = FORMS[section]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [key for key, member in members.items() if member.required],
        "properties": {key: dict(member.schema) for key, member in members.items()},
        **_CONDITIONS.get(section, {}),
    }


def _text(longest: int, *, required: bool = False, shortest: int = 0, pattern: str = LINES) -> Member:
    schema = {"type": "string", "maxLength": longest, "pattern": pattern}
    schema |= {"minLength": shortest or 1} if required or shortest else {}
    return Member(lambda value: _text_fault(value, longest, pattern), schema, required)


def _text_fault(value: Any, longest: int, pattern: str = LINES) -> str | None:
    if not isinstance(value, str):
        return "must be text"
    if problem := text_problem(value, pattern):
        return problem
    return f"is longer than {longest} characters" if len(value) > longest else None


def _name(rule: NameRule, *, required: bool = False) -> Member:
    schema = {"type": "string", "pattern": f"^{rule.pattern}$", "maxLength": rule.longest}
    return Member(_told(rule.problem), schema, required)


def _told(problem: Callable[[str], str | None]) -> Callable[[Any], str | None]:
    """The fault of a value that has sentences of its own."""

    def fault(value: Any) -> str | None:
        if not isinstance(value, str):
            return "must be text"
        sentence = problem(value)
        return f": {sentence}" if sentence else None

    return fault


def _names(item: Member, *, required: bool = False, **rules: Any) -> Member:
    def fault(value: Any) -> str | None:
        right = isinstance(value, list) and all(isinstance(name, str) for name in value)
        return None if right else "must be a list of names"

    return Member(
        fault,
        {"type": "array", "maxItems": MOST_ENTRIES, "items": dict(item.schema), **rules},
        required,
        item,
    )


def _choice(*known: str, words: str, required: bool = False) -> Member:
    return Member(lambda value: None if value in known else words, {"enum": list(known)}, required)


def _number(low: int, high: int) -> Member:
    def fault(value: Any) -> str | None:
        right = value is None or (type(value) is int and low <= value <= high)
        return None if right else f"must be a whole number from {low} to {high}"

    return Member(fault, {"type": ["integer", "null"], "minimum": low, "maximum": high})


def _moment_fault(value: Any) -> str | None:
    words = "must be a moment as RFC 3339, for instance 2026-11-22T17:00:00Z"
    if value is None:
        return None
    if not (isinstance(value, str) and _RFC3339.fullmatch(value)):
        return words
    try:
        moment_of(value)
    except (ValueError, OverflowError):
        return words
    return None


_ROLE = _name(ROLE)
_PERMISSION = _name(PERMISSION)
_TITLE = Member(
    lambda value: None if value is None else _text_fault(value, LONGEST_TITLE, LINE),
    {"type": ["string", "null"], "maxLength": LONGEST_TITLE, "pattern": LINE},
)
_MOMENT = Member(_moment_fault, {"type": ["string", "null"], "format": "date-time"})
_KINDS: tuple[str, ...] = get_args(ConstraintKind)
FORMS: dict[str, dict[str, Member]] = {
    "permissions": {"name": _name(PERMISSION, required=True), "title": _TITLE, "description": _text(1000, required=True)},
    "roles": {
        "name": _name(ROLE, required=True),
        "title": _TITLE,
        "description": _text(1000),
        "grants": _choice(*get_args(Grants), words="must be all or reads"),
        "requires_mfa": Member(
            lambda value: None if isinstance(value, bool) else "must be true or false", {"type": "boolean"}
        ),
        "permissions": _names(_PERMISSION),
        "inherits": _names(_ROLE),
    },
    "constraints": {
        "name": _name(CONSTRAINT, required=True),
        "kind": _choice(*_KINDS, words=f"must be one of {', '.join(_KINDS)}", required=True),
        "roles": _names(_ROLE, required=True, minItems=1, uniqueItems=True),
        "limit": _number(1, 1_000_000_000),
    },
    "users": {
        "username": Member(_told(username_problem), {"type": "string", "minLength": 1, "maxLength": 128}, required=True),
        "display_name": _text(256, pattern=LINE),
        "email": _text(320, pattern=LINE),
    },
    "assignments": {
        "user": _text(128, shortest=1),
        "service_account": _text(128, shortest=1),
        "role": _name(ROLE, required=True),
        "reason": _text(1000),
        "starts_at": _MOMENT,
        "expires_at": _MOMENT,
        "mode": _choice(*get_args(Mode), words="must be active or eligible"),
        "max_duration": _number(60, 86_400),
    },
}  # fmt: skip


def _constraint_faults(entry: Entry) -> Iterator[tuple[str, str]]:
    kind, roles, limit = entry["kind"], entry["roles"], entry.get("limit")
    least = 1 if kind == "max-holders" else 2
    if len(set(roles)) < len(roles):
        yield "roles", "roles must be different from each other"
    if len(roles) < least:
        yield "roles", f"roles must be {least} or more"
    if kind == "requires" and limit is not None:
        yield "limit", "limit is not for constraints that require"
    if kind == "max-holders" and limit is None:
        yield "limit", "limit is missing"
    if kind in ("static", "dynamic") and not (limit is not None and 2 <= limit <= len(roles)):
        yield "limit", f"limit must be from 2 to {max(2, len(roles))}, the number of roles"


def _holder_faults(entry: Entry) -> Iterator[tuple[str, str]]:
    named = "service_account" if "service_account" in entry else "user"
    if "service_account" in entry and "user" in entry:
        yield named, "service_account and user are two holders; name one"
    elif named not in entry:
        yield named, "user or service_account: name one"
    elif entry.get(named) in (None, ""):
        yield named, f"{named} is missing"


def _assignment_faults(entry: Entry) -> Iterator[tuple[str, str]]:
    eligible = entry.get("mode") == "eligible"
    if "service_account" in entry and eligible:
        yield "mode", "mode must be active for a service account, which could not activate it"
    if entry.get("max_duration") is not None and not eligible:
        yield "max_duration", "max_duration is only for assignments with mode eligible"
    starts, ends = moment_of(entry.get("starts_at")), moment_of(entry.get("expires_at"))
    if starts and ends and ends <= starts:
        yield "expires_at", "expires_at must come after starts_at"


_TOGETHER: dict[str, Callable[[Entry], Iterator[tuple[str, str]]]] = {
    "constraints": _constraint_faults,
    "assignments": _assignment_faults,
}
_GIVEN = {"type": "integer"}


def _if_kind(kinds: list[str], then: dict[str, Any]) -> dict[str, Any]:
    return {"if": {"properties": {"kind": {"enum": kinds}}, "required": ["kind"]}, "then": then}


_CONDITIONS: dict[str, dict[str, Any]] = {
    "constraints": {
        "allOf": [
            _if_kind(
                ["static", "dynamic"],
                {
                    "required": ["limit"],
                    "properties": {"roles": {"minItems": 2}, "limit": {**_GIVEN, "minimum": 2}},
                },
            ),
            _if_kind(["max-holders"], {"required": ["limit"], "properties": {"limit": _GIVEN}}),
            _if_kind(["requires"], {"properties": {"roles": {"minItems": 2}, "limit": {"type": "null"}}}),
        ]
    },
    "assignments": {
        "oneOf": [{"required": ["user"]}, {"required": ["service_account"]}],
        "allOf": [
            {
                "if": {"properties": {"max_duration": _GIVEN}, "required": ["max_duration"]},
                "then": {"properties": {"mode": {"const": "eligible"}}, "required": ["mode"]},
            },
            {
                "if": {"required": ["service_account"]},
                "then": {"properties": {"mode": {"const": "active"}}},
            },
        ],
    },
}
