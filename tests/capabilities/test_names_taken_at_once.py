"""Two callers who give the same name at the same moment, or two that differ by case alone: one of them has it, the other is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from rbac_api.capabilities.constraints import queries as constraints
from rbac_api.capabilities.domains import service as domains
from rbac_api.capabilities.permissions import queries as permissions
from rbac_api.capabilities.roles import queries as roles
from rbac_api.capabilities.service_accounts import service as service_accounts
from rbac_api.capabilities.users import service as user_service
from rbac_api.database.queries import users
from tests.builders import Stage
from tests.capabilities.signin.crowd import together
from tests.cast import ALICE
from tests.contract.operations import operations

ROUNDS = 4


@dataclass(frozen=True)
class Kind:
    """Something with a name: where it is made, of what, and how it is looked up before."""

    operation: str
    path: str
    names: tuple[str, str]
    body: Callable[[str], dict[str, Any]]
    queries: Any
    look: str = "is_name_taken"
    folded_index: str | None = None


KINDS = {
    "users": Kind("create_user", "/v1/users", ("Erin", "eRIN"), lambda name: {"username": name}, users, "find_user_by_name"),
    "service accounts": Kind(
        "create_service_account", "/v1/service-accounts", ("robot", "robot"), lambda name: {"name": name}, service_accounts,
        "find_user_by_name",
    ),
    "roles": Kind(
        "create_role", "/v1/roles", ("Clerk", "cLERK"), lambda name: {"name": name}, roles, folded_index="uq_roles_name_folded"
    ),
    "permissions": Kind(
        "create_permission", "/v1/permissions", ("Books:Close", "books:close"), lambda name: {"name": name, "description": "x"},
        permissions, folded_index="uq_permissions_name_folded",
    ),
    "constraints": Kind(
        "create_constraint", "/v1/constraints", ("Rule", "rULE"),
        lambda name: {"name": name, "kind": "max-holders", "roles": ["auditor"], "limit": 9},
        constraints, folded_index="uq_constraints_name_folded",
    ),
    "domains": Kind(
        "create_domain", "/v1/domains", ("books", "books"), lambda name: {"name": name}, domains, "find_domain", "uq_domains_name_open"
    ),
}  # fmt: skip
WITHOUT_NAMES = {"reset_password", "create_client_secret", "rotate_keys", "enrol_totp"}
every_kind = pytest.mark.parametrize("kind", KINDS)


def make_both(stage: Stage, *makings: tuple[Kind, str]) -> list[int]:
    """The statuses of two sessions of Alice's that make these at once."""
    callers = [stage.as_(ALICE) for _ in makings]

    def make(number: int) -> int:
        kind, name = makings[number]
        client, headers = callers[number].client, callers[number].headers
        return int(client.post(kind.path, json=kind.body(name), headers=headers).status_code)

    return sorted(together(len(makings), make))


def test_whatever_is_made_with_a_name_is_tried_here(stage: Stage) -> None:
    making = {one.id for one in operations(stage.app) if one.creates}

    assert making - WITHOUT_NAMES == {kind.operation for kind in KINDS.values()}


@every_kind
@pytest.mark.parametrize("alike", ["the same", "but for case"])
def test_of_two_who_give_a_name_at_once_one_has_it(stage: Stage, kind: str, alike: str) -> None:
    what = KINDS[kind]
    one, other = what.names if alike == "but for case" else what.names[:1] * 2

    for number in range(ROUNDS):
        assert make_both(stage, (what, f"{one}{number}"), (what, f"{other}{number}")) == [201, 409]


def test_a_user_and_a_service_account_do_not_get_one_name_either(stage: Stage) -> None:
    for number in range(ROUNDS):
        pair = (KINDS["users"], f"Erin{number}"), (KINDS["service accounts"], f"erin{number}")
        assert make_both(stage, *pair) == [201, 409]


def look_too_early(monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    """Both looked before either had the write lock: neither finds that the name is taken."""
    monkeypatch.setattr(kind.queries, kind.look, lambda *_: None)


@every_kind
def test_the_database_refuses_what_a_look_before_the_lock_would_let_pass(
    stage: Stage, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = KINDS[kind]
    look_too_early(monkeypatch, what)

    assert make_both(stage, *((what, name) for name in what.names)) == [201, 409]


@every_kind
def test_without_the_index_or_the_canonical_form_both_would_have_it(
    stage: Stage, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vulnerable twin: the look comes too early, and the database compares names as they are written."""
    what = KINDS[kind]
    look_too_early(monkeypatch, what)
    monkeypatch.setattr(user_service, "canonical", str)
    pair = ((KINDS["users"], "Robot"), (what, "robot")) if kind == "service accounts" else None

    with without(stage, what.folded_index):
        statuses = make_both(stage, *(pair or ((what, name) for name in what.names)))

    assert statuses == [201, 201]


@contextmanager
def without(stage: Stage, index: str | None) -> Iterator[None]:
    """The database has no such index meanwhile."""
    if index is None:
        yield
        return
    catalogue = (
        "SELECT sql FROM sqlite_schema WHERE name = ?"
        if stage.engine == "sqlite"
        else "SELECT indexdef FROM pg_indexes WHERE indexname = ?"
    )
    [(definition,)] = stage.query(catalogue, index)
    stage.execute(f"DROP INDEX {index}")
    try:
        yield
    finally:
        stage.reset()  # on SQLite this brings the index back, too
        if stage.engine == "postgresql":
            stage.execute(definition)
