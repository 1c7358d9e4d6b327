"""Loading documents: the built-in part at every start, seeds when asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.permissions.service import (
    create_permission,
    known_permissions,
    reconcile_permission,
)
from rbac_api.capabilities.roles.service import (
    grant_permission,
    inherit_role,
    known_roles,
    reconcile_role,
    seed_role,
)
from rbac_api.capabilities.users.service import NewUser, add_user, known_user
from rbac_api.decision.document import Document, DocumentRefused, read_document
from rbac_api.guard.clearance import Clearance
from rbac_api.trail.recorder import Target

SEED_DATA = Path(__file__).resolve().parents[3] / "seed_data"
SYSTEM = SEED_DATA / "system.yaml"
EXAMPLE = SEED_DATA / "example_company.yaml"
Progress = Callable[[], Any]
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it is there: ten times as fast


@dataclass(slots=True)
class Loaded:
    """How many of each kind a document added; what was there already does not count."""

    permissions: int = 0
    roles: int = 0
    users: int = 0
    assignments: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Everything that was added."""
        return self.permissions + self.roles + self.users + self.assignments


def read_file(path: Path) -> Document:
    """A document from a YAML (or JSON, its subset) file; ``DocumentRefused`` names what is wrong with it."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 -- both loaders are safe ones
    except (OSError, UnicodeDecodeError) as fault:
        raise DocumentRefused([f"{path} cannot be read: {type(fault).__name__}"]) from fault
    except yaml.YAMLError as fault:
        raise DocumentRefused([f"{path} is not YAML: {fault}"]) from fault
    return read_document(raw)


def reconcile_system(clearance: Clearance, document: Document) -> int:
    """Restore this service's own permissions and built-in roles to what the document says; custom ones stay untouched.

    Returns how many had to be changed.
    """
    changed = sum(
        reconcile_permission(clearance, entry["name"], entry["description"]) for entry in document.permissions
    )
    changed += sum(
        reconcile_role(clearance, entry["name"], entry["description"], entry["grants"])
        for entry in document.roles
    )
    return changed


def load_document(
    clearance: Clearance, document: Document, name: str, progress: Progress = lambda: None
) -> Loaded:
    """Add what the document has and the database has not; nothing is changed or removed.  All or nothing.

    ``progress`` is called once per entry.
    """
    _require_known(clearance, document)
    loaded = Loaded()
    for entry in document.permissions:
        loaded.permissions += _add_permission(clearance, entry["name"], entry["description"])
        progress()
    new = [entry for entry in document.roles if _add_role(clearance, entry)]
    for entry in new:
        _fill_role(clearance, entry["name"], entry.get("permissions", []), entry.get("inherits", []))
        loaded.roles += 1
        progress()
    people = _add_users(clearance, document, loaded, progress)
    for entry in document.assignments:
        user_id = people[entry["user"]]
        loaded.assignments += (
            user_id is not None and assign_role(clearance, user_id, entry["role"], entry.get("reason"))[1]
        )
        progress()
    if loaded.total:
        counts = {kind: getattr(loaded, kind) for kind in ("permissions", "roles", "users", "assignments")}
        clearance.record("seed.loaded", Target("document", name, name), after=counts)
    return loaded


def _add_permission(clearance: Clearance, name: str, description: str) -> bool:
    if name in known_permissions(clearance):
        return False
    create_permission(clearance, name, description)
    return True


def _add_role(clearance: Clearance, entry: Mapping[str, Any]) -> bool:
    strict = entry.get("requires_mfa", False)
    return seed_role(clearance, entry["name"], entry.get("description", ""), requires_mfa=strict)


def _fill_role(clearance: Clearance, role: str, permissions: list[str], inherits: list[str]) -> None:
    for permission in permissions:
        grant_permission(clearance, role, permission)
    for junior in inherits:
        inherit_role(clearance, role, junior)


def _add_users(
    clearance: Clearance, document: Document, loaded: Loaded, progress: Progress
) -> dict[str, str | None]:
    """Ids by username; None for one that was deleted, whose name is never given out again."""
    people: dict[str, str | None] = {}
    for entry in document.users:
        present = known_user(clearance, entry["username"])
        if present is None:
            added = add_user(
                clearance,
                NewUser(
                    username=entry["username"],
                    email=entry.get("email"),
                    display_name=entry.get("display_name"),
                ),
            )
            people[entry["username"]] = added.id
            loaded.users += 1
        else:
            people[entry["username"]] = present.id if present.status != "deleted" else None
        progress()
    for entry in document.assignments:
        if entry["user"] not in people:
            present = known_user(clearance, entry["user"])
            people[entry["user"]] = (
                present.id if present is not None and present.status != "deleted" else None
            )
    return people


def _require_known(clearance: Clearance, document: Document) -> None:
    """Every name a document refers to is in it or in the database."""
    permissions = known_permissions(clearance) | {entry["name"] for entry in document.permissions}
    present = known_roles(clearance)
    roles = present | {entry["name"] for entry in document.roles}
    people = {entry["username"] for entry in document.users}
    faults = [
        f"role {entry['name']}: {kind} {name} is unknown"
        for entry in document.roles
        for kind, known in (("permissions", permissions), ("inherits", roles))
        for name in entry.get(kind, [])
        if name not in known
    ]
    faults += [
        f"role {entry['name']}: only built-in roles have grants; list its permissions"
        for entry in document.roles
        if entry.get("grants", "listed") != "listed" and entry["name"] not in present
    ]
    for entry in document.assignments:
        if entry["role"] not in roles:
            faults.append(f"assignment of {entry['user']}: role {entry['role']} is unknown")
        if entry["user"] not in people and known_user(clearance, entry["user"]) is None:
            faults.append(f"assignment of {entry['role']}: user {entry['user']} is unknown")
    if faults:
        raise DocumentRefused(faults)
