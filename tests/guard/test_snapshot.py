"""What a worker remembers is never older than what it was told, and never anybody else's."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from rbac_api import clock
from rbac_api.database.queries import subjects as accounts
from rbac_api.decision.evaluate import decide
from rbac_api.guard.state import cache as module
from rbac_api.guard.state import queries
from rbac_api.guard.state.cache import Snapshot
from tests.builders import Caller, Stage
from tests.capabilities.signin.crowd import together
from tests.cast import ALICE, BOB, CAROL, CAST, DAVE

READERS, ROUNDS = 4, 40


def fresh(stage: Stage, person: Any, permission: str) -> bool:
    """The decision on what the rows say, past every memory."""
    with stage.database.reading() as connection:
        found = accounts.find_subject(connection, stage.user_id(person), clock.now())
        assert found is not None
        return decide(queries.find_role_graph(connection), found[0], permission, clock.now()).allowed


def remembered(stage: Stage, person: Any, permission: str) -> bool:
    found = stage.guard.snapshot.person(stage.user_id(person))
    assert found is not None
    return found.may(permission).allowed


def test_what_is_remembered_of_each_is_what_the_rows_say_of_each(stage: Stage) -> None:
    stage.as_(ALICE).put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor")
    stage.guard.snapshot.freshen()
    permissions = [*stage.guard.snapshot.graph().permissions, "no:thing"]

    for _ in range(2):
        for person in CAST:
            for permission in permissions:
                assert remembered(stage, person, permission) == fresh(stage, person, permission)


def test_when_a_role_gains_or_loses_a_permission_nobody_is_read_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, path = stage.as_(ALICE), "/v1/roles/role-manager/permissions/payments:release"
    assert alice.get("/v1/me").status_code == 200
    assert not remembered(stage, BOB, "payments:release")
    monkeypatch.setattr(accounts, "find_subject", None)  # whoever asks the database who she is gets no answer

    for change, held in ((alice.put, True), (alice.delete, False)):
        assert change(path).status_code < 300
        stage.guard.snapshot.freshen()
        assert remembered(stage, BOB, "payments:release") is held


Change = Callable[[Stage, Caller], Any]
# The query whose answer is on its way while something changes, the change, and what must then be known.
READS: dict[str, tuple[str, Change]] = {
    "a person, while her role is taken away": (
        "find_subject",
        lambda stage, alice: alice.delete(f"/v1/users/{stage.user_id(CAROL)}/roles/auditor"),
    ),
    "a person, while she is disabled": (
        "find_subject",
        lambda stage, alice: alice.patch_now(f"/v1/users/{stage.user_id(CAROL)}", {"status": "disabled"}),
    ),
    "the roles, while one of them loses a permission": (
        "find_role_graph",
        lambda _stage, alice: alice.delete("/v1/roles/reader/permissions/audit:read"),
    ),
}


def race(stage: Stage, monkeypatch: pytest.MonkeyPatch, query: str, change: Change, *, applied: bool) -> bool:
    """Carol's standing is read; before the reading ends, the change is made (and noticed).  What is believed of her afterwards."""
    home = accounts if query == "find_subject" else queries
    alice, memory, read = stage.as_(ALICE), stage.guard.snapshot, getattr(home, query)
    alice.post("/v1/roles", json={"name": "reader", "permissions": ["audit:read"]})
    if query == "find_role_graph":
        alice.put(f"/v1/users/{stage.user_id(CAROL)}/roles/reader")
        alice.delete(f"/v1/users/{stage.user_id(CAROL)}/roles/auditor")
    memory.forget()
    memory.freshen()
    todo = [change]

    def slow(*arguments: Any, **more: Any) -> Any:
        found = read(*arguments, **more)
        if todo:
            assert todo.pop()(stage, alice).status_code < 300
            if applied:
                memory.freshen()
        return found

    monkeypatch.setattr(home, query, slow)
    memory.person(stage.user_id(CAROL))
    memory.freshen()
    return remembered(stage, CAROL, "audit:read")


@pytest.mark.parametrize("applied", [True, False], ids=["noticed meanwhile", "noticed afterwards"])
@pytest.mark.parametrize(("query", "change"), READS.values(), ids=READS)
def test_what_was_read_before_a_change_is_not_remembered_after_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, query: str, change: Change, applied: bool
) -> None:
    assert race(stage, monkeypatch, query, change, applied=applied) is False


@pytest.mark.parametrize(("query", "change"), READS.values(), ids=READS)
def test_a_memory_that_keeps_whatever_it_read_would_believe_it_for_ever(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, query: str, change: Change
) -> None:
    """The vulnerable twin: what was read is kept without asking whether anything was forgotten meanwhile."""

    monkeypatch.setattr(Snapshot, "_keep", lambda _self, _before, keep: keep())

    assert race(stage, monkeypatch, query, change, applied=True) is True


def test_old_roles_and_a_new_assignment_do_not_add_up_to_what_was_never_allowed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, dave, read = stage.as_(ALICE), stage.as_(DAVE), accounts.find_subject
    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["users:read"]})
    alice.patch_now(f"/v1/users/{stage.user_id(DAVE)}", {"display_name": "D."})
    stage.guard.snapshot.freshen()
    stage.guard.snapshot.graph()
    todo = [stage.user_id(DAVE)]

    def slow(connection: Any, user_id: str, *arguments: Any, **more: Any) -> Any:
        if todo == [user_id]:
            todo.clear()
            assert alice.delete("/v1/roles/clerk/permissions/users:read").status_code == 204
            assert alice.put(f"/v1/users/{user_id}/roles/clerk").status_code == 201
        return read(connection, user_id, *arguments, **more)

    monkeypatch.setattr(accounts, "find_subject", slow)

    assert dave.get("/v1/users").status_code == 403
    assert not todo


def test_she_is_answered_although_something_changes_at_every_look(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, carol, read = stage.guard.snapshot, stage.user_id(CAROL), accounts.find_subject
    looks: list[None] = []
    monkeypatch.setattr(
        accounts, "find_subject", lambda *a, **k: (looks.append(memory.forget()), read(*a, **k))[1]
    )  # type: ignore[func-returns-value]
    memory.forget()

    found = memory.person(carol)

    assert found is not None
    assert found.may("audit:read").allowed
    assert len(looks) == module.MAX_ATTEMPTS + 1  # the last in one moment


class Interrupted(dict[str, Any]):
    """A memory in which, when somebody has been looked up and before more is done, something else happens, once."""

    def __init__(self, known: dict[str, Any], happening: Callable[[], Any]) -> None:
        super().__init__(known)
        self._happenings = [happening]

    def get(self, key: str, default: Any = None) -> Any:
        found = super().get(key, default)
        if self._happenings:
            self._happenings.pop()()
        return found


def test_whoever_was_looked_up_before_her_role_went_is_not_remembered_with_it_under_the_new_roles(
    stage: Stage,
) -> None:
    alice, carol, memory = stage.as_(ALICE), stage.user_id(CAROL), stage.guard.snapshot
    assert remembered(stage, CAROL, "audit:read")

    def change() -> None:
        assert alice.delete(f"/v1/users/{carol}/roles/auditor").status_code == 204
        assert alice.put("/v1/roles/role-manager/permissions/payments:release").status_code == 201
        memory.freshen()

    memory._people = Interrupted(memory._people, change)
    memory.person(carol)

    assert remembered(stage, CAROL, "audit:read") is False


def test_a_session_read_while_it_ends_is_not_remembered_as_alive(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, carol, memory = stage.as_(ALICE), stage.as_(CAROL), stage.guard.snapshot
    read, session = queries.find_session_state, carol.tokens["session_id"]
    memory.freshen()
    todo = [session]

    def slow(*arguments: Any) -> Any:
        found = read(*arguments)
        if todo:
            alice.delete(f"/v1/sessions/{todo.pop()}")
            memory.freshen()
        return found

    monkeypatch.setattr(queries, "find_session_state", slow)

    assert memory.session(session).ended is False
    assert carol.get("/v1/me").json["code"] == "token.revoked"


def test_many_ask_while_alice_gives_and_takes_and_each_answer_after_hers_is_right(stage: Stage) -> None:
    alice, path = stage.as_(ALICE), f"/v1/users/{stage.user_id(CAROL)}/roles/auditor"
    carol, done = stage.as_(CAROL), []

    def act(number: int) -> list[int]:
        client, statuses = stage.app.test_client(), []
        if number:
            while not done:
                statuses.append(client.get("/v1/users", headers=carol.headers).status_code)
            return statuses
        try:
            for turn in range(ROUNDS):
                alice.call("PUT" if turn % 2 else "DELETE", path)
                statuses.append(client.get("/v1/users", headers=carol.headers).status_code)
        finally:
            done.append(True)
        return statuses

    after_each, *others = together(READERS + 1, act)

    assert after_each == [200 if turn % 2 else 403 for turn in range(ROUNDS)]
    assert {status for statuses in others for status in statuses} <= {200, 403}


def test_a_role_with_an_end_counts_until_just_before_it_without_anybody_telling(stage: Stage) -> None:
    carol, end = stage.as_(CAROL), datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=5)
    mine = "(SELECT id FROM users WHERE username = 'carol')"
    stage.execute(f"UPDATE assignments SET valid_to = '{end:%Y-%m-%d %H:%M:%S}' WHERE user_id = {mine}")

    with time_machine.travel(end - timedelta(milliseconds=1), tick=False) as traveller:
        before = carol.get("/v1/users")
        traveller.shift(timedelta(milliseconds=1))
        after = carol.get("/v1/users")

    assert (before.status_code, after.status_code) == (200, 403)
    assert after.headers["Authz-Stale"] == "true"


def test_memory_is_bounded_and_still_right_when_it_is_too_small(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 2)
    callers = [stage.as_(person) for person in (ALICE, BOB, CAROL, DAVE)]

    for _ in range(2):
        assert [caller.get("/v1/users").status_code for caller in callers] == [200, 200, 200, 403]
    assert len(stage.guard.snapshot._people) == len(stage.guard.snapshot._sessions) == 2


def test_somebody_unknown_is_nobody_and_not_remembered(stage: Stage) -> None:
    memory, nobody = stage.guard.snapshot, "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"

    assert memory.person(nobody) is None
    assert memory.session(nobody) is None
    assert memory.person(nobody, second_factor=True) is None
    assert not any(nobody in known for known in (*memory._people, memory._sessions))


def test_an_open_session_of_somebody_disabled_by_hand_opens_nothing(stage: Stage) -> None:
    carol, session = stage.as_(CAROL), "SELECT ended_at FROM sessions WHERE id = ?"
    stage.execute("UPDATE users SET status = 'disabled' WHERE username = 'carol'")

    answers = [
        carol.get("/v1/me"),
        carol.patch("/v1/me", json={"display_name": "C."}),
        carol.get("/v1/users"),
    ]

    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(401, "token.revoked")] * 3
    assert stage.query(
        session, carol.tokens["session_id"].replace("-", "" if stage.engine == "sqlite" else "-")
    ) == [(None,)]


def test_a_worker_that_serves_only_refreshes_reads_the_roles_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    carol, read = stage.as_(CAROL), queries.find_role_graph
    reads: list[Any] = []
    monkeypatch.setattr(queries, "find_role_graph", lambda c: (reads.append(c), read(c))[1])
    stage.guard.snapshot.forget()

    for _ in range(3):
        answer = carol.post("/v1/auth/refresh", json={"refresh_token": carol.tokens["refresh_token"]})
        carol.tokens = answer.json

    assert len(reads) == 1


def test_roles_that_were_forgotten_while_they_were_read_are_not_remembered(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, read = stage.guard.snapshot, queries.find_role_graph
    monkeypatch.setattr(queries, "find_role_graph", lambda c: (read(c), memory.forget())[0])
    memory.forget()

    with stage.database.writing() as connection:
        graph = memory.settled_graph(connection)

    assert "auditor" in graph.effective
    assert memory.roles.current is None
