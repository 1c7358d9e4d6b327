"""A filter, a sort order or a count of a list tells a caller nothing that the caller may not read directly.

Which lists and filters there are the OpenAPI document says. For each filter the table names where its answer can be read directly: in the
items of the list, in another read that the same permission allows, or with a further permission, without which the filter is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.attacks.test_what_answers_tell import all_permissions, carol_with
from tests.builders import Stage
from tests.capabilities.erasure.lives import erase
from tests.capabilities.erasure.test_erasing import deleted
from tests.cast import ALICE, CAROL, DAVE
from tests.contract.operations import Operation, operations

PAGING = frozenset(
    {"limit", "cursor", "count", "at"}
)  # the same facts, fewer of them, or those of another time


@dataclass(frozen=True)
class Shown:
    """Each item of the list has it in this member."""

    member: str


@dataclass(frozen=True)
class Readable:
    """This operation, which requires no other permission, answers the same."""

    operation: str


@dataclass(frozen=True)
class Needs:
    """Refused without this permission too."""

    permission: str


ANSWERS: Mapping[str, Mapping[str, Shown | Readable | Needs]] = {
    "list_users": {
        "q": Shown("username"), "status": Shown("status"), "role": Readable("get_user_roles"),
        "created_after": Shown("created_at"), "last_login_before": Shown("last_login_at"),
        "never_signed_in": Shown("last_login_at"), "without_roles": Readable("get_user_roles"),
        "second_factor": Readable("list_users"),  # by design: who has none is a question for whom reads users
        "sort": Shown("created_at"), "home": Shown("home"),
    },
    "list_roles": {"q": Shown("description"), "permission": Shown("permissions"), "effective": Shown("effective_permissions")},
    "list_permissions": {"q": Shown("description")},
    "list_assignments": {
        "user": Shown("user"), "role": Shown("role"), "mode": Shown("mode"), "state": Shown("state"), "expires_before": Shown("expires_at"),
        "without_reason": Shown("reason"), "assigned_by": Shown("assigned_by"), "domain": Shown("domain"),
    },
    "list_domains": {"under": Shown("name")},
    "list_my_domains": {"permission": Readable("list_my_permissions")},
    "list_available_roles": {"domain": Shown("may")},
    "list_my_permissions": {"domain": Shown("permission")},
    "list_service_account_permissions": {"domain": Shown("permission")},
    "list_user_permissions": {"second_factor": Shown("permission"), "domain": Shown("permission")},
    "list_role_members": {"effective": Shown("via"), "domain": Shown("user")},
    "list_permission_holders": {"eligible": Shown("mode"), "domain": Shown("user")},
    "list_user_unused": {"since": Shown("last_used")},
    "list_service_account_unused": {"since": Shown("last_used")},
    "list_role_unused": {"since": Shown("permission")},
    "list_permission_use": {"since": Shown("last_used")},
    "list_sessions": {
        "state": Shown("state"), "user": Shown("user"), "role": Needs("roles:read"), "ip": Shown("ip"),
        "created_after": Shown("created_at"), "created_before": Shown("created_at"),
    },
    "list_incidents": {"type": Shown("type"), "state": Shown("state")},
    "list_events": {
        "domain": Shown("domain"),
        "from_seq": Shown("seq"), "actor": Shown("actor"), "action": Shown("action"), "target": Shown("target"), "role": Shown("after"),
        "ip": Shown("ip"), "session": Shown("session_id"), "request_id": Shown("request_id"), "outcome": Shown("outcome"),
        "after": Shown("at"), "before": Shown("at"),
    },
    "list_service_accounts": {"q": Shown("name"), "status": Shown("status"), "home": Shown("home")},
}  # fmt: skip


def resolved(operation: Operation, part: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference of the document stands for."""
    if "$ref" not in part:
        return part
    _, _, section, name = part["$ref"].split("/")
    found: Mapping[str, Any] = operation.components[section][name]
    return found


def members(operation: Operation) -> set[str] | None:
    """The members of the items; None for what is no list."""
    content = resolved(operation, operation.described["responses"].get("200", {})).get("content", {})
    schema = resolved(operation, content.get("application/json", {}).get("schema", {}))
    items = resolved(operation, schema.get("properties", {}).get("items", {}))
    if "items" not in items:
        return None
    return set(resolved(operation, items["items"]).get("properties", {}))


def filters(operation: Operation) -> set[str]:
    parameters = [resolved(operation, one) for one in operation.described.get("parameters", [])]
    return {one["name"] for one in parameters if one["in"] == "query"} - PAGING


def lists(stage: Stage) -> dict[str, Operation]:
    return {
        one.id: one
        for one in operations(stage.app)
        if one.method == "GET" and members(one) is not None and filters(one)
    }


@pytest.mark.parametrize("engine", ["sqlite"])
def test_of_every_filter_it_is_known_where_its_answer_can_be_read(stage: Stage) -> None:
    found = lists(stage)

    assert {name: filters(one) for name, one in found.items()} == {
        name: set(known) for name, known in ANSWERS.items()
    }
    every = {one.id: one for one in operations(stage.app)}
    for name, known in ANSWERS.items():
        for where in known.values():
            if isinstance(where, Shown):
                assert where.member in (members(found[name]) or ())
            elif isinstance(where, Readable):
                assert every[where.operation].permission == found[name].permission


NEEDED = [
    (name, one, where.permission)
    for name, known in ANSWERS.items()
    for one, where in known.items()
    if isinstance(where, Needs)
]
EXPORTS = (None, "text/csv", "application/x-ndjson")


@pytest.mark.parametrize(("name", "parameter", "permission"), NEEDED)
@pytest.mark.parametrize("accept", EXPORTS)
def test_a_filter_that_tells_more_is_refused_without_the_permission(
    stage: Stage, name: str, parameter: str, permission: str, accept: str | None
) -> None:
    own = lists(stage)[name]
    stage.as_(DAVE)
    value, headers = "admin", {"Accept": accept} if accept else {}
    carol = carol_with(stage, all_permissions(stage) - {permission})
    for known in (value, "no-such-role"):
        refused = carol.get(f"{own.path}?{parameter}={known}&count=true", headers=headers)
        assert (refused.status_code, refused.json["required"]) == (403, permission)
    assert carol.get(own.path, headers=headers).status_code == 200
    assert stage.as_(ALICE).get(f"{own.path}?{parameter}={value}", headers=headers).status_code == 200


def test_ending_sessions_by_role_tells_no_more_than_listing_them(stage: Stage) -> None:
    carol = carol_with(stage, all_permissions(stage) - {"roles:read"})
    body = {"filter": {"role": "admin"}, "dry_run": True}

    refused = carol.post("/v1/sessions/revocations", json=body)

    assert (refused.status_code, refused.json["required"]) == (403, "roles:read")
    assert stage.as_(ALICE).post("/v1/sessions/revocations", json=body).json["dry_run"] is True


def test_a_search_for_an_erased_name_does_not_record_whose_it_was(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    user_id = deleted(alice, username="erin.gone")
    assert erase(alice, user_id).status_code == 204

    stage.as_(CAROL).get("/v1/audit/events?actor=erin.gone")

    [read] = alice.get("/v1/audit/events?action=audit.read").json["items"][:1]
    assert read["after"] == {"actor": {"erased": True}}
    assert "erin.gone" not in str(read)
