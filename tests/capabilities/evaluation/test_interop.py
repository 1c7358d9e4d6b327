"""The published requests of the AuthZEN working group get the published answers, with a domain for each owner."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import Caller, Stage
from tests.capabilities.evaluation.asking import MANY, ONE, app_on, ask, decisions
from tests.capabilities.evaluation.interop import (
    BATCHES,
    DEPARTMENTS,
    FOUND,
    RECORDS,
    account,
    prepare_records,
    prepare_todo,
    record,
    todo_of,
    todo_requests,
)
from tests.cast import ALICE

VERBS = ("delete", "edit", "view")


@pytest.fixture
def todo(stage: Stage) -> Caller:
    prepare_todo(stage)
    return app_on(stage)


@pytest.fixture
def records(stage: Stage) -> Caller:
    prepare_records(stage)
    return app_on(stage)


def test_each_todo_evaluation_gets_the_published_decision(todo: Caller) -> None:
    published = list(todo_requests())
    assert len(published) == 40
    assert [ask(todo, ONE, body)["decision"] for body, _ in published] == [yes for _, yes in published]
    assert decisions(todo, {"evaluations": [body for body, _ in published]}) == [yes for _, yes in published]


def test_each_todo_batch_gets_the_published_decisions(todo: Caller) -> None:
    for user, owners, published in BATCHES:
        body = {
            "subject": {"type": "user", "id": user},
            "action": {"name": "can_update_todo"},
            "evaluations": [{"resource": todo_of(owner)} for owner in owners],
        }
        answers = ask(todo, MANY, body)["evaluations"]
        assert [one["decision"] for one in answers] == [sign == "T" for sign in published]


def test_an_owner_is_none_of_what_others_own_or_of_everything(todo: Caller) -> None:
    """The twin of the scenario that forgets the domain: nothing of one's own may be updated then."""
    for body, published in todo_requests():
        if body["resource"]["id"] != "todo-1" and body["resource"]["type"] == "todo":
            bare = {**body, "resource": {"type": "todo", "id": body["resource"]["id"]}}
            everywhere = body["subject"]["id"].startswith("rick")
            assert ask(todo, ONE, bare)["decision"] is (published and everywhere)


def test_each_pair_of_a_user_and_a_record_is_decided_as_published(records: Caller) -> None:
    asked, published = [], []
    for (name, verb), found in FOUND.items():
        for number in RECORDS:
            subject = {"type": "user", "id": account(name)}
            asked.append({"subject": subject, "action": {"name": verb}, "resource": record(number)})
            published.append(number in found)
    assert decisions(records, {"evaluations": asked}) == published


def test_a_search_for_resources_finds_the_published_records(records: Caller) -> None:
    """The answer names domains; the application lists its records there."""
    for (name, verb), published in FOUND.items():
        subject = {"type": "user", "id": account(name)}
        body: dict[str, Any] = {
            "subject": subject,
            "action": {"name": verb},
            "resource": {"type": "record"},
        }
        answer = ask(records, "/access/v1/search/resource", body)
        domains = {one["properties"]["domain"] for one in answer["results"]}
        assert answer["page"]["next_token"] == ""
        assert {number for number, at in RECORDS.items() if at in domains} == published


def test_a_search_for_subjects_finds_the_published_users(stage: Stage, records: Caller) -> None:
    names = {stage.user_id(account(name)): name for name in DEPARTMENTS}
    names[stage.user_id(ALICE)] = "administrator of the stage"
    for number in RECORDS:
        for verb in VERBS:
            body = {"subject": {"type": "user"}, "action": {"name": verb}, "resource": record(number)}
            found = {names[one["id"]] for one in ask(records, "/access/v1/search/subject", body)["results"]}
            published = {name for (name, does), some in FOUND.items() if does == verb and number in some}
            assert found == published | {"administrator of the stage"}


def test_a_search_for_actions_finds_the_published_ones(records: Caller) -> None:
    for name in DEPARTMENTS:
        for number in RECORDS:
            body = {"subject": {"type": "user", "id": account(name)}, "resource": record(number)}
            found = [one["name"] for one in ask(records, "/access/v1/search/action", body)["results"]]
            assert found == [verb for verb in VERBS if number in FOUND[name, verb]]
