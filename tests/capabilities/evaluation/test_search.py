"""Searches: who may do it, and what a subject may do. AuthZEN Authorization API 1.0, section 8."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rbac_api import clock
from rbac_api.capabilities.evaluation import queries, search
from rbac_api.database.queries.roles import list_role_ids
from tests.builders import Caller, Stage
from tests.capabilities.evaluation.asking import app_on, ask, decisions, refusal, scene, statements
from tests.capabilities.evaluation.test_one_look import crowd
from tests.cast import ALICE, BOB, CAROL, CAST, DAVE

SUBJECTS, ACTIONS = "/access/v1/search/subject", "/access/v1/search/action"
RESOURCE, USERS = {"type": "users", "id": "1"}, {"type": "user"}


@pytest.fixture
def app(stage: Stage) -> Caller:
    return app_on(stage)


def who(permission: str, **more: Any) -> dict[str, Any]:
    resource, _, verb = permission.rpartition(":")
    body = {"subject": USERS, "action": {"name": verb}, "resource": {"type": resource, "id": "1"}}
    return {**body, **more}


def what(kind: str, name: str, resource: str, **more: Any) -> dict[str, Any]:
    return {"subject": {"type": kind, "id": name}, "resource": {"type": resource, "id": "1"}, **more}


def found(app: Caller, path: str, body: dict[str, Any]) -> list[str]:
    """The results of a search without a second page."""
    answer = ask(app, path, body)
    assert answer["page"] == {"next_token": "", "count": len(answer["results"])}
    assert list(answer) == ["page", "results"]
    return [each.get("id", each.get("name")) for each in answer["results"]]


def pages(app: Caller, path: str, body: dict[str, Any], limit: int) -> Iterator[list[str]]:
    page: dict[str, Any] = {"limit": limit}
    while page.get("token") != "":
        answer = ask(app, path, {**body, "page": page})
        yield [each.get("id", each.get("name")) for each in answer["results"]]
        page = {"token": answer["page"]["next_token"]}  # the limit may be left out


def accounts(stage: Stage) -> list[tuple[str, str]]:
    people = [("user", stage.user_id(person)) for person in CAST]
    robots = stage.as_(ALICE).get("/v1/service-accounts").json["items"]
    return people + [("service-account", robot["id"]) for robot in robots]


@pytest.mark.parametrize("context", [{}, {"second_factor": False}, {"time": 10**15}], ids=str)
def test_what_is_found_is_what_the_evaluation_permits_and_nothing_else(
    stage: Stage, app: Caller, context: dict[str, Any]
) -> None:
    scene(stage)
    everybody, more = accounts(stage), {"context": context}
    permissions = [item["name"] for item in stage.as_(ALICE).get("/v1/permissions?limit=200").json["items"]]
    permissions = [name for name in permissions if name.startswith(("tea:", "users:", "access:"))]
    allowed: set[tuple[str, str, str]] = set()
    for kind, one in everybody:
        items = [
            {**what(kind, one, *name.split(":", 1)[:1]), "action": {"name": name.split(":", 1)[1]}}
            for name in permissions
        ]
        answers = decisions(app, {"evaluations": [{**item, **more} for item in items]})
        allowed |= {(kind, one, name) for name, yes in zip(permissions, answers, strict=True) if yes}
    assert len(allowed) > 10

    by_subject = {
        (kind, one, name)
        for kind in ("user", "service-account")
        for name in permissions
        for one in found(app, SUBJECTS, who(name, subject={"type": kind}, **more))
    }
    by_action = {
        (kind, one, f"{resource}:{name}")
        for kind, one in everybody
        for resource in ("tea", "users", "access")
        for name in found(app, ACTIONS, what(kind, one, resource, **more))
    }
    assert by_subject == allowed
    assert by_action == allowed


def test_of_a_permission_with_three_parts_the_first_may_be_the_type_as_well(
    stage: Stage, app: Caller
) -> None:
    scene(stage)
    assert found(app, ACTIONS, what("user", "carol", "tea")) == ["brew", "cup:wash"]
    assert found(app, ACTIONS, what("user", "carol", "tea:cup")) == ["wash"]
    assert found(app, SUBJECTS, who("tea:cup:wash")) == sorted(
        stage.user_id(person) for person in (ALICE, BOB, CAROL)
    )


def test_the_id_of_a_subject_that_is_searched_for_is_ignored(stage: Stage, app: Caller) -> None:
    for subject in ({"type": "user", "id": "nobody"}, {"type": "user", "id": 7}):
        assert found(app, SUBJECTS, who("users:create", subject=subject)) == found(
            app, SUBJECTS, who("users:create")
        )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SUBJECTS, who("no:such")),
        (SUBJECTS, who("users:read", subject={"type": "robot"})),
        (SUBJECTS, {**who("users:read"), "action": {"name": "x" * 5000}}),
        (ACTIONS, what("user", "nobody", "users")),
        (ACTIONS, what("user", "mallory", "users")),
        (ACTIONS, what("robot", "alice", "users")),
        (ACTIONS, what("user", "alice", "user")),
        (ACTIONS, what("user", "alice", "")),
    ],
)
def test_what_is_unknown_or_disabled_finds_nothing(app: Caller, path: str, body: dict[str, Any]) -> None:
    assert found(app, path, body) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
def test_pages_follow_each_other_without_gap_and_repetition(stage: Stage, app: Caller, limit: int) -> None:
    for path, body in ((SUBJECTS, who("users:read")), (ACTIONS, what("user", "alice", "users"))):
        whole = found(app, path, body)
        parts = list(pages(app, path, body, limit))
        assert [one for part in parts for one in part] == whole
        assert all(len(part) == limit for part in parts[:-1])
        assert len(whole) > 2
    assert stage.user_id(ALICE) in found(app, SUBJECTS, who("users:read"))


def test_a_page_of_nothing_has_a_token_if_there_is_anything(app: Caller) -> None:
    for path, body in ((SUBJECTS, who("users:read")), (ACTIONS, what("user", "alice", "users"))):
        answer = ask(app, path, {**body, "page": {"limit": 0}})
        assert (answer["results"], answer["page"]["count"]) == ([], 0)
        assert answer["page"]["next_token"]
        again = ask(app, path, {**body, "page": {"token": answer["page"]["next_token"]}})
        assert again["results"] == []
    assert ask(app, SUBJECTS, who("no:such", page={"limit": 0}))["page"]["next_token"] == ""


def test_a_token_is_good_for_its_own_search_only(app: Caller) -> None:
    body = who("users:read", page={"limit": 1})
    token = ask(app, SUBJECTS, body)["page"]["next_token"]
    again = {"token": token}
    assert ask(app, SUBJECTS, {**body, "page": {"token": token, "limit": 1}})["results"]
    others: list[dict[str, Any]] = [
        {**who("users:create"), "page": again},
        {**who("users:read", subject={"type": "service-account"}), "page": again},
        {**who("users:read", context={"second_factor": False}), "page": again},
        {**who("users:read"), "resource": {"type": "users", "id": "2"}, "page": again},
        {**body, "page": {"token": token, "limit": 2}},
        {**body, "page": {"token": token[:-9] + ("A" if token[-9] != "A" else "B") + token[-8:]}},
        {**body, "page": {"token": ""}},
        {**body, "page": {"token": "x" * 5000}},
    ]
    for other in others:
        assert "page." in refusal(app.post(SUBJECTS, json=other))
    actions = {**what("user", "alice", "users"), "page": again}
    assert "page.token" in refusal(app.post(ACTIONS, json=actions))


PAGES: list[Any] = [
    [],
    "x",
    None,
    {"limit": -1},
    {"limit": "1"},
    {"limit": 1.5},
    {"limit": True},
    {"limit": None},
    {"token": 7},
    {"token": None},
    {"properties": []},
]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_of_another_form_is_refused(app: Caller, page: Any) -> None:
    assert "page" in refusal(app.post(SUBJECTS, json=who("users:read", page=page)))
    assert ask(app, SUBJECTS, who("users:read", page={"limit": 10**15, "x": 1}))["results"]


@pytest.mark.parametrize(
    "member", ["subject", "action", "resource", "subject.type", "action.name", "resource.id"]
)
def test_what_is_missing_is_named(app: Caller, member: str) -> None:
    body = json.loads(json.dumps({**who("users:read"), "subject": {"type": "user", "id": "alice"}}))
    outer, _, inner = member.partition(".")
    if inner:
        del body[outer][inner]
    else:
        del body[outer]
    assert member in refusal(app.post(SUBJECTS, json=body))
    if outer != "action":
        assert member in refusal(app.post(ACTIONS, json=body))


def test_only_who_may_ask_for_decisions_may_search(stage: Stage, app: Caller) -> None:
    for path, body in ((SUBJECTS, who("users:read")), (ACTIONS, what("user", "alice", "users"))):
        assert "decision_id" in refusal(stage.as_(DAVE).post(path, json=body), 403)
        refusal(stage.caller().post(path, json=body), 401)
        assert "Content-Type" in refusal(app.post(path, data="x", content_type="text/plain"))


def test_a_search_writes_nothing_and_asks_as_little_of_a_crowd(
    stage: Stage, app: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd(stage)
    stage.guard.snapshot.forget()
    whole = [one for part in pages(app, SUBJECTS, who("invoices:read"), 200) for one in part]
    assert len(whole) > 500
    assert len(set(whole)) == len(whole)
    with statements(stage) as asked:
        assert len(ask(app, SUBJECTS, who("invoices:read", page={"limit": 50}))["results"]) == 50
    assert len(asked) <= 8
    assert not [one for one in asked if not one.lstrip().upper().startswith(("SELECT", "BEGIN"))]
    monkeypatch.setattr(search, "PORTION", 7)
    monkeypatch.setattr("rbac_api.database.filters.FEW", 3)  # as with very many
    assert [one for part in pages(app, SUBJECTS, who("invoices:read"), 90) for one in part] == whole


def test_where_few_of_many_count_a_page_ends_early_and_the_next_goes_on(
    stage: Stage, app: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd(stage)
    monkeypatch.setattr(search, "PORTION", 10)
    monkeypatch.setattr(search, "PORTIONS", 2)
    monkeypatch.setattr(search, "_may", lambda person, _wanted: person.username == "bob")
    parts = list(pages(app, SUBJECTS, who("invoices:read"), 5))
    assert [one for part in parts for one in part] == [stage.user_id(BOB)]
    assert len(parts) > 10


@pytest.mark.parametrize("many", [False, True])
def test_neither_few_nor_many_holders_cost_a_look_at_everybody(
    stage: Stage, app: Caller, monkeypatch: pytest.MonkeyPatch, many: bool
) -> None:
    crowd(stage)
    stage.execute("ANALYZE users", "ANALYZE assignments")  # as it does by itself
    role = "role-manager" if many else "asker"
    monkeypatch.setattr("rbac_api.database.filters.FEW", 100)
    with stage.database.reading() as connection:
        wanted = queries.Candidates("person", list_role_ids(connection, [role]), clock.now())
        query = queries.candidates_query(connection, wanted, stage.user_id(ALICE), 51)
        text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        explain = "EXPLAIN QUERY PLAN " if stage.engine == "sqlite" else "EXPLAIN "
        plan = [str(row[-1]) for row in connection.exec_driver_sql(explain + text)]
    assert not [line for line in plan if "SCAN users" in line or "Seq Scan on users" in line], plan
