"""Defines the form of a document's entries once: ``Member`` checks a value, and has the same rule as JSON
Schema.

So the reader and the published schema cannot differ.  The reader alone checks what concerns more than one
entry (names that come twice, circles) and what a pattern cannot say (a username's characters, an end before
its beginning).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from rbac_api.decision.document_rules import (
    UNKNOWN,
    Entry,
    EntryFault,
    assignment_faults,
    constraint_faults,
    domain_faults,
    holder_faults,
    home_faults,
    missing,
    moment_of,
)
from rbac_api.decision.model import ROOT, ConstraintKind, Grants, Mode
from rbac_api.decision.names import username_problem
from rbac_api.decision.naming import CONSTRAINT, DOMAIN, MAX_TITLE_LENGTH, PERMISSION, ROLE, NameRule
from rbac_api.decision.texts import EMAIL, LINE, LINES, text_problem

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
MAX_ENTRIES = 4 * 1024 * 1024  # of a list; more do not fit into the largest body


@dataclass(frozen=True, slots=True)
class Member:
    """One key of an entry: what is wrong with its value (None: nothing), the same as JSON Schema, whether it
    may be missing; of a list also what is wrong with each of its items."""

    fault: Callable[[object], str | None]
    schema: Mapping[str, Any]
    required: bool = False
    item: Member | None = None

    def faults(self, key: str, value: object) -> Iterator[EntryFault]:
        """Return everything that is wrong with the value of this key."""
        if words := self.fault(value):
            yield EntryFault((key,), _after(key, words))
        elif self.item is not None and isinstance(value, list):
            for place, each in enumerate(value):
                if words := self.item.fault(each):
                    yield EntryFault((key, place), _after(f"{key}[{place + 1}]", words))


def entry_faults(section: str, entry: Entry) -> Iterator[EntryFault]:
    """Return everything that is wrong with one entry."""
    members, wrong = FORMS[section], False
    for key, member in members.items():
        for fault in _member_faults(key, member, entry):
            wrong = True
            yield fault
    yield from (EntryFault((str(key),), f"{key} is unknown", UNKNOWN) for key in entry if key not in members)
    if section == "assignments":
        yield from holder_faults(entry)
    if not wrong and section in _TOGETHER:
        yield from _TOGETHER[section](entry)


def _member_faults(key: str, member: Member, entry: Entry) -> Iterator[EntryFault]:
    if member.required and entry.get(key) in (None, ""):
        yield missing(key)
    elif key in entry:
        yield from member.faults(key, entry[key])


def _after(name: str, words: str) -> str:
    return f"{name}{'' if words.startswith(':') else ' '}{words}"


def document_schema() -> dict[str, object]:
    """Return the format of documents as JSON Schema, draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "/schemas/policy.json",
        "title": "Policy document of rbac-api",
        "description": "Domains, permissions, roles, rules about roles and who has which role. Seed files,"
        " exports and plans share it; every section may be missing. `users` is for seed files alone."
        " A role's name must not come twice, roles must not inherit themselves, and `expires_at` comes"
        " after `starts_at`.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            section: {"type": "array", "maxItems": MAX_ENTRIES, "items": _entry_schema(section)}
            for section in FORMS
        },
    }


def _entry_schema(section: str) -> dict[str, object]:
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


def _text_fault(value: object, longest: int, pattern: str = LINES) -> str | None:
    if not isinstance(value, str):
        return "must be text"
    if problem := text_problem(value, pattern):
        return problem
    return f"is longer than {longest} characters" if len(value) > longest else None


def _email_fault(value: object) -> str | None:
    words = "must be an e-mail address without invisible characters"
    return _text_fault(value, 320, LINE) or (None if re.search(EMAIL, str(value)) else words)


def _name(rule: NameRule, *, required: bool = False) -> Member:
    schema = {"type": "string", "pattern": f"^{rule.pattern}$", "maxLength": rule.longest}
    return Member(_described(rule.problem), schema, required)


def _described(problem: Callable[[str], str | None]) -> Callable[[object], str | None]:
    """Return the fault of a value that has sentences of its own."""

    def fault(value: object) -> str | None:
        if not isinstance(value, str):
            return "must be text"
        sentence = problem(value)
        return f": {sentence}" if sentence else None

    return fault


def _names(item: Member, *, required: bool = False, **rules: object) -> Member:
    def fault(value: object) -> str | None:
        right = isinstance(value, list) and all(isinstance(name, str) for name in value)
        return None if right else "must be a list of names"

    return Member(
        fault,
        {"type": "array", "maxItems": MAX_ENTRIES, "items": dict(item.schema), **rules},
        required,
        item,
    )


def _choice(*known: str, words: str, required: bool = False) -> Member:
    return Member(lambda value: None if value in known else words, {"enum": list(known)}, required)


def _number(low: int, high: int) -> Member:
    def fault(value: object) -> str | None:
        right = value is None or (type(value) is int and low <= value <= high)
        return None if right else f"must be a whole number from {low} to {high}"

    return Member(fault, {"type": ["integer", "null"], "minimum": low, "maximum": high})


def _moment_fault(value: object) -> str | None:
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
    lambda value: None if value is None else _text_fault(value, MAX_TITLE_LENGTH, LINE),
    {"type": ["string", "null"], "maxLength": MAX_TITLE_LENGTH, "pattern": LINE},
)
_MOMENT = Member(_moment_fault, {"type": ["string", "null"], "format": "date-time"})
_KINDS: tuple[str, ...] = get_args(ConstraintKind)
FORMS: dict[str, dict[str, Member]] = {
    "domains": {
        "name": _name(DOMAIN, required=True),
        "title": _TITLE,
        "description": _text(1000),
    },
    "permissions": {
        "name": _name(PERMISSION, required=True),
        "title": _TITLE,
        "description": _text(1000, required=True),
    },
    "roles": {
        "name": _name(ROLE, required=True),
        "home": _name(DOMAIN),
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
        "home": _name(DOMAIN),
        "kind": _choice(*_KINDS, words=f"must be one of {', '.join(_KINDS)}", required=True),
        "roles": _names(_ROLE, required=True, minItems=1, uniqueItems=True),
        "limit": _number(1, 1_000_000_000),
    },
    "users": {
        "username": Member(
            _described(username_problem), {"type": "string", "minLength": 1, "maxLength": 128}, required=True
        ),
        "display_name": _text(256, pattern=LINE),
        "email": Member(_email_fault, {"type": "string", "maxLength": 320, "pattern": EMAIL}),
        "home": _name(DOMAIN),
    },
    "assignments": {
        "user": _text(128, shortest=1),
        "service_account": _text(128, shortest=1),
        "role": _name(ROLE, required=True),
        "domain": _name(DOMAIN),
        "reason": _text(1000),
        "starts_at": _MOMENT,
        "expires_at": _MOMENT,
        "mode": _choice(*get_args(Mode), words="must be active or eligible"),
        "max_duration": _number(60, 86_400),
    },
}  # fmt: skip


_TOGETHER: dict[str, Callable[[Entry], Iterator[EntryFault]]] = {
    "domains": domain_faults,
    "roles": home_faults,
    "constraints": constraint_faults,
    "assignments": assignment_faults,
}
_GIVEN = {"type": "integer"}


def _if_kind(kinds: list[str], then: dict[str, object]) -> dict[str, object]:
    return {"if": {"properties": {"kind": {"enum": kinds}}, "required": ["kind"]}, "then": then}


_CONDITIONS: dict[str, dict[str, object]] = {
    "domains": {"not": {"properties": {"name": {"const": ROOT}}, "required": ["name"]}},
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
