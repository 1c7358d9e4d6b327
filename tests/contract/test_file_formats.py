"""``Accept: text/csv`` is answered with CSV or with 406, on every operation that reads."""

from __future__ import annotations

import csv
import io
import uuid
from typing import Any

import pytest

from rbac_api.capabilities.access.holders import PORTION
from rbac_api.formats.sheets import CHUNK
from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import make_robot
from tests.cast import ALICE, BOB, CAROL, DAVE
from tests.contract.operations import Operation, operations

CSV, LINES, JSON = "text/csv", "application/x-ndjson", "application/json"
WITH_FILES = {
    "list_users", "list_role_members", "list_permission_holders", "get_user_roles", "get_service_account_roles", "list_sessions",
    "list_assignments", "list_refresh_tokens", "list_events", "list_incidents",
}  # fmt: skip


def reads(stage: Stage) -> list[Operation]:
    """The operations that read JSON from our own API."""
    found = (found for found in operations(stage.app) if found.method == "GET" and not found.own_form)
    return [each for each in found if JSON in each.described["responses"].get("200", {}).get("content", {})]


def address(stage: Stage, operation: Operation) -> str:
    names = {
        "user_id": "dave", "role": "auditor", "permission": "users:read", "session_id": stage.as_(CAROL).tokens["session_id"],
        "account_id": "invoice-robot", "seq": "1", "kid": "none", "constraint": "rule", "domain": "root", "code": "access.denied",
        "incident_id": "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57", "decision_id": "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57",
    }  # fmt: skip
    return operation.at(names)


def test_the_operations_with_files_are_those_that_the_document_names(stage: Stage) -> None:
    named = {each.id for each in reads(stage) if CSV in each.described["responses"]["200"]["content"]}

    assert named == WITH_FILES


def test_every_read_of_our_own_api_answers_csv_or_406(stage: Stage) -> None:
    make_robot(stage, "auditor")
    carol, seen = stage.as_(ALICE), {}

    for operation in reads(stage):
        if not operation.path.startswith("/v1/"):
            continue
        path = address(stage, operation)
        asks = operation.path.endswith(("/access", "/me/domains"))
        query = {"permission": "users:read"} if asks else {}
        answer = carol.get(path, query_string=query, headers={"Accept": CSV})
        seen[operation.id] = (answer.status_code, answer.mimetype)
        if answer.status_code == 406:
            assert answer.json["code"] == "request.not_acceptable"
            assert JSON in answer.json["detail"]

    files = {name for name, found in seen.items() if found == (200, CSV)}
    refused = {name for name, found in seen.items() if found == (406, "application/problem+json")}
    assert files == WITH_FILES
    assert files | refused | {"diff_access", "prove_consistency"} == set(seen), (
        "422 for want of arguments comes first"
    )


@pytest.mark.parametrize(
    "accept", [f"{CSV}, {JSON};q=0.5", f"{CSV}, */*;q=0.1", "text/html", "*/*", "", "image/png"]
)
def test_who_takes_json_too_gets_json_where_there_is_no_file(stage: Stage, accept: str) -> None:
    answer = stage.as_(CAROL).get("/v1/roles", headers={"Accept": accept})

    assert (answer.status_code, answer.mimetype) == (200, JSON)


def test_a_caller_without_credentials_learns_only_that(stage: Stage) -> None:
    answer = stage.caller().get("/v1/roles", headers={"Accept": CSV})

    assert (answer.status_code, answer.json["code"]) == (401, "token.missing")


def rows(caller: Caller, path: str) -> list[dict[str, str]]:
    answer = caller.get(path, headers={"Accept": CSV})
    assert (answer.status_code, answer.mimetype) == (200, CSV), answer.text
    assert "attachment" in answer.headers["Content-Disposition"]
    return list(csv.DictReader(io.StringIO(answer.text)))


def cells(item: dict[str, Any]) -> dict[str, str]:
    """A user of the list as the cells of its row."""
    return {name: "" if value is None else str(value) for name, value in item.items()}


def test_the_file_of_users_has_the_columns_and_the_rows_of_the_list(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.patch_now("/v1/users/dave", {"display_name": "=cmd()", "email": "dave@example.com"})
    listed = alice.get("/v1/users?q=a&limit=200").json["items"]

    found = rows(alice, "/v1/users?q=a")

    assert list(found[0]) == list(listed[0])
    assert [row["username"] for row in found] == [item["username"] for item in listed]
    assert found[0] == cells(listed[0])
    assert next(row["display_name"] for row in found if row["username"] == "dave") == "'=cmd()"


def test_a_file_of_very_many_users_has_each_of_them_once(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    columns = "username, username_canonical, kind, status, password_temporary, version, authorization_version, created_at, updated_at"
    copied = columns.partition("kind")[2]
    stage.execute(*(
        f"INSERT INTO users (id, {columns}) SELECT '{uuid.UUID(int=number).hex}', 'many-{number}', 'many-{number}', kind{copied}"
        " FROM users WHERE username_canonical = 'alice'"
        for number in range(2 * CHUNK)
    ))  # fmt: skip

    found = [row["username"] for row in rows(alice, "/v1/users")]

    assert found == sorted(set(found))
    assert len(found) == 2 * CHUNK + 5


@pytest.mark.parametrize(
    "path",
    [
        "/v1/roles/auditor/members",
        "/v1/roles/auditor/members?effective=true",
        "/v1/permissions/users:read/holders",
    ],
)
def test_the_file_of_members_and_holders_has_the_rows_of_the_list(stage: Stage, path: str) -> None:
    make_robot(stage, "auditor")
    alice = stage.as_(ALICE)
    listed = alice.get(path).json["items"]

    found = rows(alice, path)

    assert [row["user_username"] for row in found] == [item["user"]["username"] for item in listed]
    assert {row["via"] for row in found} <= {'["auditor"]', '["admin"]', '["role-manager"]'}
    lines = alice.get(path, headers={"Accept": LINES}).text.splitlines()
    assert len(lines) == len(listed) > 1


def test_holders_that_are_passed_over_leave_no_hole_in_the_file(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages on which all are passed over are read past, until one has a row or nobody follows."""
    for name, value in (("PORTION", 1), ("PORTIONS", 1)):
        monkeypatch.setattr(f"rbac_api.capabilities.access.holders.{name}", value)
    monkeypatch.setattr("rbac_api.capabilities.access.holders.CHUNK", 1)
    alice = stage.as_(ALICE)
    for username in ("bea", "cid", "zoe"):
        assert alice.post("/v1/users", json={"username": username}).status_code == 201
        assert alice.put(f"/v1/users/{username}/roles/auditor").status_code == 201
    assert alice.patch_now("/v1/roles/auditor", {"requires_mfa": False}).status_code in (200, 409, 403)
    for username in ("bea", "cid"):
        alice.patch_now(f"/v1/users/{username}", {"status": "disabled"})
    at = alice.get("/v1/users/zoe").json["updated_at"]

    found = [row["user_username"] for row in rows(alice, f"/v1/permissions/audit:read/holders?at={at}")]

    assert PORTION > 1
    assert found[-1] == "zoe"
    assert {"alice", "carol", "zoe"} <= set(found)


def test_the_file_of_a_users_roles_has_her_direct_assignments(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.put("/v1/users/dave/roles/auditor", json={"reason": "audit week"})
    alice.put("/v1/users/dave/roles/role-manager", json={"mode": "eligible"})

    found = rows(alice, "/v1/users/dave/roles")

    assert [(row["role"], row["mode"], row["reason"], row["assigned_by_username"]) for row in found] == [
        ("auditor", "active", "audit week", "alice"),
        ("role-manager", "eligible", "", "alice"),
    ]
    assert rows(alice, f"/v1/users/{stage.user_id(BOB)}/roles")[0]["assigned_by_username"] == ""
    assert rows(alice, f"/v1/users/{stage.user_id(DAVE)}/roles") == found


@pytest.mark.parametrize(
    "accept", ["text/csv; charset=latin-1", "text/csv;q=0", "application/x-ndjson;q=0, text/csv;q=0"]
)
def test_a_form_of_a_file_that_there_is_not_is_refused(stage: Stage, accept: str) -> None:
    answer = stage.as_(CAROL).get("/v1/audit/events", headers={"Accept": accept})

    assert (answer.status_code, answer.json["code"]) == (406, "request.not_acceptable")
    assert "text/csv" in answer.json["detail"]
