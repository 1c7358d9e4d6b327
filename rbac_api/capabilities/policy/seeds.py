"""Loading documents: the built-in part at every start, seeds when asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rbac_api import clock
from rbac_api.capabilities.assignments.service import give_role
from rbac_api.capabilities.constraints.service import check_deferred, create_constraint, deferring
from rbac_api.capabilities.permissions.service import (
    create_permission,
    is_permission_as_built_in,
    known_permissions,
    reconcile_permission,
)
from rbac_api.capabilities.policy import queries
from rbac_api.capabilities.policy.holders import terms_of
from rbac_api.capabilities.policy.present import assignments_of, find_present
from rbac_api.capabilities.policy.references import unknown_names
from rbac_api.capabilities.roles.service import (
    grant_permission,
    inherit_role,
    is_role_as_built_in,
    reconcile_role,
    seed_role,
)
from rbac_api.capabilities.users.service import NewUser, add_user, known_user
from rbac_api.decision.difference import is_over, rule_of, wanted_terms
from rbac_api.decision.document import Document, DocumentRefused, holder_of, read_document
from rbac_api.guard.clearance import Clearance
from rbac_api.trail.recorder import Target
from rbac_api.web.yaml_bodies import YamlRefused, parse_yaml

SEED_DATA = Path(__file__).resolve().parents[3] / "seed_data"
SYSTEM = SEED_DATA / "system.yaml"
EXAMPLE = SEED_DATA / "example_company.yaml"
Progress = Callable[[], Any]
COUNTED = ("permissions", "roles", "constraints", "users", "assignments")


@dataclass(slots=True)
class Loaded:
    """How many of each kind a document added; what was there already does not count."""

    permissions: int = 0
    roles: int = 0
    constraints: int = 0
    users: int = 0
    assignments: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Everything that was added."""
        return sum(getattr(self, kind) for kind in COUNTED)


def read_file(path: Path) -> Document:
    """A document from a YAML (or JSON, its subset) file; ``DocumentRefused`` names what is wrong with it."""
    try:
        return read_document(parse_yaml(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as fault:
        raise DocumentRefused([f"{path} cannot be read: {type(fault).__name__}"]) from fault
    except YamlRefused as fault:
        raise DocumentRefused([f"{path} is not YAML: {fault}"]) from fault


def is_system_as_built_in(clearance: Clearance, document: Document) -> bool:
    """Whether ``reconcile_system`` would change nothing; reads alone, so that a start need not wait for those who write."""
    return all(
        is_permission_as_built_in(clearance, entry["name"], entry["description"])
        for entry in document.permissions
    ) and all(
        is_role_as_built_in(clearance, entry["name"], entry["description"], entry["grants"])
        for entry in document.roles
    )


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

    ``progress`` is called once per entry.  An assignment that is over already is left out, and a note says so.
    """
    _require_known(clearance, document)
    loaded = Loaded()
    with deferring(clearance):
        _load(clearance, document, loaded, progress)
        check_deferred(clearance)
    if loaded.total:
        counts = {kind: getattr(loaded, kind) for kind in COUNTED}
        clearance.record("seed.loaded", Target("document", name, name), after=counts)
    return loaded


def _load(clearance: Clearance, document: Document, loaded: Loaded, progress: Progress) -> None:
    for entry in document.permissions:
        loaded.permissions += _add_permission(clearance, entry["name"], entry["description"])
        progress()
    new = [entry for entry in document.roles if _add_role(clearance, entry)]
    for entry in new:
        _fill_role(clearance, entry["name"], entry.get("permissions", []), entry.get("inherits", []))
        loaded.roles += 1
        progress()
    people = _add_users(clearance, document, loaded, progress)
    _add_assignments(clearance, document, people, loaded, progress)
    known = {rule.name for rule in clearance.graph().constraints}
    for entry in document.constraints:
        if entry["name"] not in known:
            create_constraint(clearance, {"name": entry["name"], **rule_of(entry)})
            loaded.constraints += 1
        progress()


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
) -> dict[tuple[str, str], Target | None]:
    """Everybody in the document, by kind and canonical name; None for one that was deleted, whose name is never given out again."""
    people: dict[tuple[str, str], Target | None] = {}
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
            loaded.users += 1
            present = added
        people[holder_of({"user": entry["username"]})] = _holder(present)
        progress()
    for entry in document.assignments:
        if holder_of(entry) not in people:
            people[holder_of(entry)] = _holder(known_user(clearance, holder_of(entry)[1]))
    return people


def _holder(account: Any) -> Target | None:
    """Whoever can be given roles."""
    if account is None or account.status == "deleted":
        return None
    return Target("user" if account.kind == "person" else "service_account", account.id, account.username)


def _add_assignments(
    clearance: Clearance,
    document: Document,
    people: Mapping[tuple[str, str], Target | None],
    loaded: Loaded,
    progress: Progress,
) -> None:
    now, ids = clock.now(), [holder.id for holder in people.values() if holder is not None and holder.id]
    present = assignments_of(queries.list_assignments_of(clearance.connection, ids, now), now)
    for entry in document.assignments:
        (kind, name), role = holder_of(entry), entry["role"]
        holder = people[kind, name]
        if is_over(entry, now):
            loaded.notes.append(f"{entry[kind]} with {role} was over at {entry['expires_at']}: left out")
        elif holder is not None and (kind, name, role) not in present:
            give_role(clearance, holder, role, terms_of(wanted_terms(entry, now)))
            loaded.assignments += 1
        progress()


def _require_known(clearance: Clearance, document: Document) -> None:
    """Every name a document refers to is in it or in the database."""
    present = find_present(clearance.connection, clearance.graph(), clock.now(), ())
    added = {holder_of({"user": entry["username"]}) for entry in document.users}
    others = {holder_of(entry) for entry in document.assignments} - added
    people = added | {holder for holder in others if _is_account(clearance, *holder)}
    if faults := unknown_names(document, present, people, prune=False):
        raise DocumentRefused([fault.detail for fault in faults])


def _is_account(clearance: Clearance, kind: str, name: str) -> bool:
    """Also one that was deleted: what it held is not given to anybody again, and that is no fault of the document."""
    account = known_user(clearance, name)
    return account is not None and (account.kind == "service") == (kind == "service_account")
