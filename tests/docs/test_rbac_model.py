"""docs/rbac-model.md knows every command and review function of the standard, and names only requests that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "rbac-model.md").read_text(encoding="utf-8")
PATHS = json.loads((ROOT / "openapi" / "openapi.json").read_text())["paths"]
DEVIATIONS = (ROOT / "tests" / "journeys" / "deviations.py").read_text(encoding="utf-8")
COMMANDS = {  # INCITS 359, sections 6.1.1, 6.1.2, 6.2.1.1, 6.3.1.1 and 6.4.1.1
    "AddUser", "DeleteUser", "AddRole", "DeleteRole", "AssignUser", "DeassignUser", "GrantPermission", "RevokePermission", "CreateSession",
    "DeleteSession", "AddActiveRole", "DropActiveRole", "CheckAccess",
    "AddInheritance", "DeleteInheritance", "AddAscendant", "AddDescendant",
    "CreateSsdSet", "DeleteSsdSet", "AddSsdRoleMember", "DeleteSsdRoleMember", "SetSsdSetCardinality",
    "CreateDsdSet", "DeleteDsdSet", "AddDsdRoleMember", "DeleteDsdRoleMember", "SetDsdSetCardinality",
}  # fmt: skip
REVIEWS = {  # sections 6.1.3, 6.1.4, 6.2.1.2, 6.2.1.3, 6.3.1.2 and 6.4.1.2
    "AssignedUsers", "AssignedRoles", "AuthorizedUsers", "AuthorizedRoles", "RolePermissions", "UserPermissions", "SessionRoles",
    "SessionPermissions", "RoleOperationsOnObject", "UserOperationsOnObject",
    "SsdRoleSets", "SsdRoleSetRoles", "SsdRoleSetCardinality", "DsdRoleSets", "DsdRoleSetRoles", "DsdRoleSetCardinality",
}  # fmt: skip


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = DOCUMENT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def known(method: str, path: str) -> bool:
    """Whether there is such an operation; what stands in braces may be called otherwise."""
    form = re.sub(r"\{[^}]*\}", "{}", path)
    return any(
        re.sub(r"\{[^}]*\}", "{}", known) == form and method.lower() in operations
        for known, operations in PATHS.items()
    )


def test_every_command_of_the_standard_has_its_row() -> None:
    assert [row[0] for row in rows("Commands") if row[0] not in COMMANDS] == []
    assert sorted(row[0] for row in rows("Commands")) == sorted(COMMANDS)


def test_every_review_function_of_the_standard_has_its_row() -> None:
    assert sorted(row[0] for row in rows("Review functions")) == sorted(REVIEWS)


def test_every_row_names_a_request() -> None:
    for row in rows("Commands") + rows("Review functions"):
        assert re.search(r"`(GET|POST|PUT|DELETE) /", row[1]), row


def test_every_request_that_is_named_exists() -> None:
    named = re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`?\s]*)", DOCUMENT)

    assert len(named) > 40
    assert [f"{method} {path}" for method, path in named if not known(method, path)] == []


def test_a_request_that_is_not_there_would_be_missed() -> None:
    assert not known("GET", "/v1/nowhere/{name}")
    assert not known("PATCH", "/v1/users/{user_id}/roles/{role}")


def test_the_differences_are_those_that_the_model_knows() -> None:
    named = re.findall(r"^``([a-z-]+)``", DEVIATIONS, re.MULTILINE)

    assert sorted(row[0].strip("*") for row in rows("Where we differ")) == sorted(named)
    assert set(re.findall(r"\(\*([a-z-]+)\*\)", DOCUMENT)) <= set(named)


def test_the_model_is_no_longer_than_a_hundred_lines_and_knows_nothing_of_ours() -> None:
    model = (ROOT / "tests" / "journeys" / "rbac_model.py").read_text(encoding="utf-8")

    assert len(model.splitlines()) <= 100
    assert "rbac_api" not in model
    assert "import tests" not in model
