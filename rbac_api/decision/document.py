"""The one document format for permissions, roles, people and assignments: seeds today, export and import later.

    permissions: [{name, description}]
    roles:       [{name, description?, grants?: all | reads, requires_mfa?: bool, permissions?: [], inherits?: []}]
    users:       [{username, display_name?, email?}]
    assignments: [{user, role, reason?}]

Every section may be missing.  ``read_document`` takes what a YAML or JSON reader made of a file and either gives a ``Document`` or
says everything that is wrong with it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Role
from rbac_api.decision.names import canonical, username_problem
from rbac_api.errors import ServiceError

_ROLE = re.compile(r"[a-z][a-z0-9-]{1,62}")
_PERMISSION = re.compile(r"[a-z][a-z0-9-]*:[a-z][a-z0-9-]*")
_UNREADABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_LONGEST = {  # characters; what the tables hold and the API takes
    "name": 129, "username": 128, "user": 128, "role": 63, "grants": 8, "description": 1000, "reason": 1000,
    "display_name": 256, "email": 320,
}  # fmt: skip
_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # section: (required, optional)
    "permissions": (("name", "description"), ()),
    "roles": (("name",), ("description", "grants", "requires_mfa", "permissions", "inherits")),
    "users": (("username",), ("display_name", "email")),
    "assignments": (("user", "role"), ("reason",)),
}


class DocumentRefused(ServiceError):
    """The document cannot be loaded; ``faults`` says where and why."""

    code = "document.refused"
    title = "The document cannot be loaded"

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__(
            "The document cannot be loaded:\n" + "\n".join(f"  - {fault}" for fault in faults[:50])
        )


@dataclass(frozen=True, slots=True)
class Document:
    """A document whose form is right; whether its names exist is for whoever loads it."""

    permissions: tuple[Mapping[str, Any], ...] = ()
    roles: tuple[Mapping[str, Any], ...] = ()
    users: tuple[Mapping[str, Any], ...] = ()
    assignments: tuple[Mapping[str, Any], ...] = ()


def read_document(raw: Any) -> Document:
    """Check the form; ``DocumentRefused`` with every fault."""
    if not isinstance(raw, dict):
        raise DocumentRefused(
            ["the document must be a mapping with the sections permissions, roles, users, assignments"]
        )
    faults = [f"{section}: unknown section" for section in raw if section not in _KEYS]
    sections: dict[str, tuple[Mapping[str, Any], ...]] = {}
    for section, keys in _KEYS.items():
        entries = raw.get(section)
        entries = [] if entries is None else entries
        faults += list(_section_faults(section, entries, *keys))
        sections[section] = tuple(entries) if isinstance(entries, list) else ()
    if not faults:
        faults += _circles(sections["roles"])
    if faults:
        raise DocumentRefused(faults)
    return Document(**sections)


def _circles(roles: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
    """Roles that would inherit themselves."""
    edges = [(role["name"], junior) for role in roles for junior in role.get("inherits", [])]
    for circle in RoleGraph.compile((Role(role["name"]) for role in roles), (), edges).cycles:
        yield f"roles: {', '.join(circle)} inherit themselves"


def _section_faults(
    section: str, entries: Any, required: tuple[str, ...], optional: tuple[str, ...]
) -> Iterator[str]:
    if not isinstance(entries, list):
        yield f"{section}: must be a list"
        return
    for number, entry in enumerate(entries, 1):
        where = f"{section}[{number}]"
        if not isinstance(entry, dict):
            yield f"{where}: must be a mapping"
            continue
        yield from (f"{where}: {key} is missing" for key in required if entry.get(key) in (None, ""))
        yield from (f"{where}: {key} is unknown" for key in entry if key not in (*required, *optional))
        yield from (f"{where}: {fault}" for fault in _entry_faults(section, entry))
    yield from _repetitions(section, [entry for entry in entries if isinstance(entry, dict)])


def _repetitions(section: str, entries: list[Mapping[str, Any]]) -> Iterator[str]:
    """An entry that says again, or otherwise, what one before it said would be passed over in silence."""
    names = [tuple(str(entry.get(key)) for key in _IDENTITY[section]) for entry in entries]
    if section == "users":
        names = [(canonical(name),) for (name,) in names]
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{section}: {' with '.join(name)} comes {count} times"


def _entry_faults(section: str, entry: Mapping[str, Any]) -> Iterator[str]:
    lists = {key: value for key, value in entry.items() if key in ("permissions", "inherits")}
    texts = {key: value for key, value in entry.items() if key not in lists and key != "requires_mfa"}
    for key, value in lists.items():
        if not (isinstance(value, list) and all(isinstance(name, str) for name in value)):
            yield f"{key} must be a list of names"
    if not isinstance(entry.get("requires_mfa", False), bool):
        yield "requires_mfa must be true or false"
    yield from (fault for key, value in texts.items() if (fault := _text_fault(key, value)))
    fault = _FORMS[section]({key: str(value) for key, value in texts.items()})
    if fault:
        yield fault


def _text_fault(key: str, value: Any) -> str | None:
    if not isinstance(value, str):
        return f"{key} must be text"
    if _UNREADABLE.search(value):
        return f"{key} has control characters"
    longest = _LONGEST.get(key, 0)
    return f"{key} is longer than {longest} characters" if longest and len(value) > longest else None


def _permission_fault(entry: Mapping[str, str]) -> str | None:
    return None if _PERMISSION.fullmatch(entry.get("name", "")) else "name must be resource:verb"


def _role_fault(entry: Mapping[str, str]) -> str | None:
    if not _ROLE.fullmatch(entry.get("name", "")):
        return "name must be a slug of lower-case letters, digits and hyphens"
    return (
        None if entry.get("grants", "listed") in ("listed", "all", "reads") else "grants must be all or reads"
    )


def _user_fault(entry: Mapping[str, str]) -> str | None:
    problem = username_problem(entry.get("username", ""))
    return f"username: {problem}" if problem else None


_IDENTITY = {
    "permissions": ("name",),
    "roles": ("name",),
    "users": ("username",),
    "assignments": ("user", "role"),
}
_FORMS: dict[str, Callable[[Mapping[str, str]], str | None]] = {
    "permissions": _permission_fault,
    "roles": _role_fault,
    "users": _user_fault,
    "assignments": lambda _entry: None,
}
