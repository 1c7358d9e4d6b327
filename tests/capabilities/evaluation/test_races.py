"""Somebody is read for an answer while what she may do changes: the next answer knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rbac_api.database.queries import subjects, users
from rbac_api.guard.state.cache import MAX_ATTEMPTS, Snapshot
from tests.builders import Caller, Stage
from tests.capabilities.evaluation.asking import ONE, app_on, ask, question
from tests.cast import ALICE, BOB, DAVE

ASKED = question("bob", "invoices:read")
Change = Callable[[Stage, Caller], Any]
CHANGES: dict[str, Change] = {
    "his role is taken away": lambda stage, alice: alice.delete(f"/v1/users/{stage.user_id(BOB)}/roles/role-manager"),
    "he is disabled": lambda stage, alice: alice.patch_now(f"/v1/users/{stage.user_id(BOB)}", {"status": "disabled"}),
    "he is deleted": lambda stage, alice: alice.delete_now(f"/v1/users/{stage.user_id(BOB)}"),
}  # fmt: skip


def race(stage: Stage, monkeypatch: pytest.MonkeyPatch, change: Change, *, noticed: bool) -> bool:
    """Bob is read for an answer; before the reading ends, the change is made (and noticed).  What is answered afterwards."""
    alice, app, read = stage.as_(ALICE), app_on(stage), subjects.list_subjects
    stage.guard.snapshot.forget()
    todo = [change]

    def slow(*arguments: Any) -> Any:
        found = read(*arguments)
        if todo:
            assert todo.pop()(stage, alice).status_code < 300
            if noticed:
                stage.guard.snapshot.freshen()
        return found

    monkeypatch.setattr(subjects, "list_subjects", slow)
    ask(app, ONE, ASKED)
    assert not todo
    return bool(ask(app, ONE, ASKED)["decision"])


@pytest.mark.parametrize("noticed", [True, False], ids=["noticed meanwhile", "noticed afterwards"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_was_read_before_a_change_is_not_answered_after_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, change: Change, noticed: bool
) -> None:
    assert race(stage, monkeypatch, change, noticed=noticed) is False


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_memory_that_keeps_whatever_it_read_would_answer_so_for_ever(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    """The vulnerable twin: what was read is kept without asking whether anything was forgotten meanwhile."""

    monkeypatch.setattr(Snapshot, "_keep", lambda _self, _before, keep: keep())

    assert race(stage, monkeypatch, change, noticed=True) is True


def test_old_roles_and_a_new_assignment_do_not_add_up_to_what_was_never_allowed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, app, read = stage.as_(ALICE), app_on(stage), subjects.list_subjects
    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read"]})
    stage.guard.snapshot.freshen()
    stage.guard.snapshot.graph()
    todo = [f"/v1/users/{stage.user_id(DAVE)}/roles/clerk"]

    def slow(*arguments: Any) -> Any:
        if todo:
            assert alice.delete("/v1/roles/clerk/permissions/invoices:read").status_code == 204
            assert alice.put(todo.pop()).status_code == 201
        return read(*arguments)

    monkeypatch.setattr(subjects, "list_subjects", slow)

    assert ask(app, ONE, question("dave", "invoices:read"))["decision"] is False
    assert not todo


def test_bob_is_answered_although_something_changes_at_every_look(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, read = stage.guard.snapshot, subjects.list_subjects
    bob, looks = stage.user_id(BOB), 0

    def slow(*arguments: Any) -> Any:
        nonlocal looks
        looks += 1
        memory.forget()
        return read(*arguments)

    monkeypatch.setattr(subjects, "list_subjects", slow)
    memory.forget()

    assert memory.people([bob, bob])[bob].may("invoices:read").allowed
    assert looks == MAX_ATTEMPTS + 1  # the last in one moment


def test_a_name_that_was_read_before_everything_was_forgotten_is_not_remembered(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, read = stage.guard.snapshot, users.find_ids

    def slow(*arguments: Any) -> Any:
        found = read(*arguments)
        memory.forget()  # as after a backup was restored
        return found

    monkeypatch.setattr(users, "find_ids", slow)

    assert memory.ids_of(["bob", "nobody"]) == {"bob": stage.user_id(BOB)}
    assert memory._ids == {}
    monkeypatch.undo()
    assert memory.ids_of(["bob", "nobody"]) == {"bob": stage.user_id(BOB)}
    assert memory._ids == {"bob": stage.user_id(BOB)}
