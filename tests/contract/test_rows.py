"""A row class says what its table says: the same names, the same types, and None where the column may be empty."""

import importlib
import pkgutil
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from sqlalchemy import Table

import rbac_api
from rbac_api.database import tables

# Row class → its table, and what else it has: a name from another table, or a column under another name.
ROWS: dict[str, tuple[Table, set[str]]] = {
    "AccountRow": (tables.users, set()),
    "AnswerRow": (tables.idempotency_keys, set()),
    "AssignmentRow": (tables.assignments, {"role", "giver"}),
    "AttemptsRow": (tables.signin_attempts, set()),
    "ChangeRow": (tables.policy_changes, set()),
    "ConstraintRow": (tables.constraints, set()),
    "DecisionRow": (tables.decisions, {"username", "after", "event_domain"}),
    "DomainRow": (tables.domains, set()),
    "EndRow": (tables.trail_events, set()),
    "EventRow": (tables.trail_events, {"personal_values"}),
    "FactorRow": (tables.totp_factors, set()),
    "HeldRow": (tables.assignments, {"role"}),
    "HolderRow": (tables.users, {"domain"}),
    "IncidentRow": (tables.incidents, {"username", "home"}),
    "KeyUseRow": (tables.key_uses, set()),
    "LaterRow": (tables.trail_events, set()),
    "MemberRow": (tables.users, set()),
    "PermissionRow": (tables.permissions, set()),
    "PersonRow": (tables.users, set()),
    "RefreshTokenRow": (tables.refresh_tokens, set()),
    "RevocationRow": (tables.revocations, set()),
    "RoleRow": (tables.roles, set()),
    "SecretRow": (tables.client_secrets, set()),
    "ServiceAccountRow": (tables.users, {"description"}),
    "ServiceRow": (tables.users, set()),
    "SessionRow": (tables.sessions, {"username", "home"}),
    "SigningKeyRow": (tables.signing_keys, set()),
    "SessionStateRow": (tables.sessions, {"issued_by", "issued_at"}),
    "SigninRow": (tables.users, {"second_factor_since"}),
    "TimedRow": (tables.trail_events, set()),
    "UseRow": (tables.permission_uses, set()),
    "UserRow": (tables.users, set()),
}
PARTS = {
    "AccountRow",
    "AnswerRow",
    "DomainRow",
    "EndRow",
    "HeldRow",
    "HolderRow",
    "LaterRow",
    "MemberRow",
    "PersonRow",
    "ServiceAccountRow",
    "ServiceRow",
    "SigninRow",
    "SessionStateRow",
    "TimedRow",
}


def row_classes() -> dict[str, Any]:
    """Every named tuple whose name ends in ``Row``, from wherever SQL is written."""
    modules = (module.name for module in pkgutil.walk_packages(rbac_api.__path__, "rbac_api."))
    members = (
        vars(importlib.import_module(name)).values()
        for name in modules
        if "queries" in name or ".trail." in name
    )
    return {
        thing.__name__: thing
        for values in members
        for thing in values
        if isinstance(thing, type) and hasattr(thing, "_make") and thing.__module__.startswith("rbac_api.")
        if thing.__name__.endswith("Row")
    }


def plain(annotation: Any) -> tuple[type, bool]:
    """The type behind an annotation, and whether None is one of its values."""
    parts = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    [kind] = [part for part in parts if part is not NoneType]
    if get_origin(kind) is Literal:
        kind = type(get_args(kind)[0])
    return kind, NoneType in parts


def stored(kind: Any) -> type:
    """The Python type of a column's values, also where a type of ours stands before SQLAlchemy's."""
    found: type = getattr(kind, "impl_instance", kind).python_type
    return found


def test_every_row_class_is_compared() -> None:
    assert set(row_classes()) == set(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_class_has_the_names_and_types_of_its_columns(name: str) -> None:
    table, others = ROWS[name]
    hints = get_type_hints(row_classes()[name])
    told = {column: plain(hint) for column, hint in hints.items() if column not in others}

    assert told == {column: (stored(table.c[column].type), bool(table.c[column].nullable)) for column in told}
    if name not in PARTS:
        assert set(told) == set(table.c.keys())
