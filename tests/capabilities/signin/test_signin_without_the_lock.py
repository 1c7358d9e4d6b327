"""On PostgreSQL a sign-in holds no lock between reading and writing: whatever was done meanwhile, elsewhere, counts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event, insert, text
from werkzeug.test import TestResponse

from rbac_api import clock
from rbac_api.capabilities.attempts import queries as attempts
from rbac_api.capabilities.audit.service import verify_trail
from rbac_api.capabilities.sessions import bulk_revocation, queries_beginning
from rbac_api.capabilities.signin import queries, without_lock
from rbac_api.database.tables import refresh_tokens, sessions, trail_outbox
from rbac_api.guard.revocation import denylist
from tests.builders import Stage, another_node
from tests.capabilities.second_factor.device import enrolled
from tests.capabilities.sessions.test_fleet import revoke
from tests.capabilities.signin.crowd import claims, end_of, refresh, together
from tests.cast import ALICE, BOB, DAVE, NEW_PASSWORD, PASSWORD
from tests.patience import PATIENCE, eventually, without_looks

pytestmark = pytest.mark.outside

_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE ?"


@pytest.fixture
def served(stages: Any) -> Stage:
    """The application on PostgreSQL."""
    stage: Stage = stages.get("postgresql")
    stage.reset()
    return stage


def sign_in(stage: Stage, person: Any = DAVE, password: str = PASSWORD) -> TestResponse:
    body = {"username": getattr(person, "username", person), "password": password}
    return stage.caller().post("/v1/auth/login", json=body)


def elsewhere(work: Callable[[], Any]) -> Any:
    """The result of something that another thread does, to its end."""
    with ThreadPoolExecutor(1) as other:
        return other.submit(work).result(PATIENCE)


def interrupted(
    monkeypatch: pytest.MonkeyPatch, stage: Stage, meanwhile: Callable[[], object]
) -> TestResponse:
    """Sign in; after the rows were read and the tokens signed, and before anything is written, something else is done."""
    signed, reached = without_lock.issue_tokens, threading.Event()

    def paused(*given: Any) -> Any:
        tokens = signed(*given)
        if not reached.is_set():
            reached.set()
            elsewhere(meanwhile)
        return tokens

    with monkeypatch.context() as during:
        during.setattr(without_lock, "issue_tokens", paused)
        answer = sign_in(stage)
    assert reached.is_set()
    return answer


def careless(connection: Any, values: dict[str, Any]) -> bool:
    """The vulnerable twin of ``queries.sign_in_without_lock``: it writes without a condition."""
    for table, prefix in ((sessions, "session_"), (refresh_tokens, "token_"), (trail_outbox, "event_")):
        row = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
        connection.execute(insert(table), {name: row[name] for name in row if name in table.c})
    return True


def is_disabled(stage: Stage) -> TestResponse:
    return stage.as_(ALICE).patch_now(f"/v1/users/{stage.user_id(DAVE)}", {"status": "disabled"})


def is_deleted(stage: Stage) -> TestResponse:
    return stage.as_(ALICE).delete_now(f"/v1/users/{stage.user_id(DAVE)}")


def changes_the_password(stage: Stage) -> TestResponse:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    return stage.as_(DAVE).post("/v1/me/password", json=body)


def has_the_password_reset(stage: Stage) -> TestResponse:
    return stage.as_(ALICE).post(f"/v1/users/{stage.user_id(DAVE)}/password-reset")


CHANGES: dict[str, Callable[[Stage], TestResponse]] = {
    "is disabled": is_disabled,
    "is deleted": is_deleted,
    "changes his password": changes_the_password,
    "has his password reset": has_the_password_reset,
}


def alive(stage: Stage) -> int:
    """How many active sessions Dave has that began with the old password."""
    count: int = stage.query(
        "SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.id = ? AND s.ended_at IS NULL",
        stage.user_id(DAVE),
    )[0][0]
    return count


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_that_was_answered_meanwhile_beats_the_sign_in(
    served: Stage, monkeypatch: pytest.MonkeyPatch, change: Callable[[Stage], TestResponse]
) -> None:
    with another_node(served) as other:
        answers: list[TestResponse] = []
        answer = interrupted(monkeypatch, other, lambda: answers.append(change(served)))

    assert answers[0].status_code in (200, 201, 204), answers[0].json
    assert answer.status_code == 401
    assert alive(served) == (1 if change is changes_the_password else 0)  # the one that changed it
    assert verify_trail(served.database, {}).problem is None


def test_without_its_conditions_the_write_would_answer_after_the_change(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "sign_in_without_lock", careless)

    assert interrupted(monkeypatch, served, lambda: is_disabled(served)).status_code == 200
    assert alive(served) == 1


def test_a_second_factor_that_was_confirmed_meanwhile_is_asked_for(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    dave = served.as_(DAVE)

    answer = interrupted(monkeypatch, served, lambda: enrolled(dave))

    assert (answer.status_code, answer.json["code"]) == (401, "mfa.required")
    assert alive(served) == 1


def test_a_role_that_was_taken_away_meanwhile_is_not_in_the_token(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, address = served.as_(ALICE), f"/v1/users/{served.user_id(DAVE)}/roles/auditor"
    assert alice.put(address).status_code in (200, 201)
    assert claims(sign_in(served).json["access_token"])["roles"] == ["auditor"]

    answer = interrupted(monkeypatch, served, lambda: alice.delete(address))

    assert answer.status_code == 200
    assert claims(answer.json["access_token"])["roles"] == []


def crowded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> int:
    """Dave's active sessions after he signed in twice while he signed in, with at most three."""
    with another_node(stage, max_sessions=3) as strict, another_node(stage, max_sessions=3) as other:
        assert sign_in(strict).status_code == 200

        def twice() -> None:
            assert [sign_in(other).status_code for _ in range(2)] == [200] * 2

        assert interrupted(monkeypatch, strict, twice).status_code == 200
    return alive(stage)


def test_of_sign_ins_at_the_same_moment_none_slips_past_the_limit_of_sessions(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crowded(served, monkeypatch) == 3
    assert len(served.events("session.ended")) == 1


def test_without_its_conditions_one_would_slip_past_the_limit(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, here = queries.sign_in_without_lock, threading.get_ident()

    def write(connection: Any, values: dict[str, Any]) -> bool:
        return (careless if threading.get_ident() == here else usual)(connection, values)

    monkeypatch.setattr(queries, "sign_in_without_lock", write)

    assert crowded(served, monkeypatch) == 4


def held_up(stage: Stage, change: Callable[[Any], object]) -> TestResponse:
    """Sign in while a transaction has changed something and has not committed yet."""
    with ThreadPoolExecutor(1) as pool:
        with stage.database.writing() as connection:
            change(connection)
            signing_in: Future[TestResponse] = pool.submit(sign_in, stage)
            assert eventually(lambda: stage.query(_BLOCKED, "WITH signed_in%") == [(1,)])
        return signing_in.result(PATIENCE)


def test_a_sign_in_waits_for_a_change_of_the_user_that_is_not_committed_yet(served: Stage) -> None:
    def disable(connection: Any) -> None:
        connection.execute(text("UPDATE users SET status = 'disabled' WHERE username = 'dave'"))

    assert held_up(served, disable).status_code == 401
    assert alive(served) == 0


def test_a_sign_in_is_answered_while_another_transaction_holds_the_write_lock(served: Stage) -> None:
    with served.database.writing():
        answers = [sign_in(served), sign_in(served, password="wrong"), sign_in(served, "nobody")]

    assert [answer.status_code for answer in answers] == [200, 401, 401]
    recorded = [one["outcome"] for one in served.events() if one["action"].startswith("signin.")]
    assert recorded == ["success", "failure", "failure"]


def test_its_session_can_be_refreshed_and_ended_and_the_trail_tells_it_in_order(served: Stage) -> None:
    with served.database.writing():
        tokens = sign_in(served).json
        tokens = refresh(served, tokens["refresh_token"]).json
    served.as_(ALICE).delete(f"/v1/sessions/{tokens['session_id']}")

    told = [one["action"] for one in served.events() if one["target_id"] == tokens["session_id"]]
    assert told == ["signin.succeeded", "token.rotated", "session.ended"]
    assert end_of(served, tokens["session_id"]) == "admin"


def test_a_sign_in_takes_five_statements_and_a_failed_one_three(served: Stage) -> None:
    sign_in(served)
    found: list[str] = []
    here = threading.get_ident()

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if threading.get_ident() == here and "key_uses" not in statement:
            found.append(statement)

    event.listen(served.database.engine, "before_cursor_execute", note)
    try:
        assert sign_in(served).status_code == 200
        usual = len(without_looks("postgresql", found))
        found.clear()
        assert sign_in(served, password="wrong").status_code == 401
        failed = len(without_looks("postgresql", found))
    finally:
        event.remove(served.database.engine, "before_cursor_execute", note)

    assert (usual, failed) == (5, 3), found


# -- failures ------------------------------------------------------------------------------------------------


def guesses(stage: Stage, number: int) -> tuple[int, int]:
    """How many wrong passwords were compared that were tried at once, on two nodes, and how many were counted."""
    many = {"signin_queue": 64, "hashers": 2, "signin_free_failures": 100, "signin_lock_failures": 100}
    with another_node(stage, **many) as one, another_node(stage, **many) as other:
        together(number, lambda n: sign_in((one, other)[n % 2], password=f"guess {n}"))
    failed = [told["reason"] for told in stage.events("signin.failed")]
    counted = stage.query("SELECT coalesce(max(failures), 0) FROM signin_attempts")[0][0]
    return failed.count("wrong password"), counted


def test_of_failures_at_the_same_moment_each_is_counted(served: Stage) -> None:
    assert guesses(served, 16) == (16, 16)


def test_without_its_condition_some_would_not_be_counted(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(connection: Any, values: dict[str, Any]) -> bool:
        connection.execute(
            delete(attempts.attempts).where(attempts.attempts.c.name_digest == values["digest"])
        )
        row = {"name_digest": values["digest"], "failures": values["failures"], "last_failed_at": clock.now()}
        connection.execute(attempts.postgresql.insert(attempts.attempts).on_conflict_do_nothing(), row)
        connection.execute(
            insert(trail_outbox),
            {name[6:]: value for name, value in values.items() if name.startswith("event_")},
        )
        return True

    monkeypatch.setattr(attempts, "count_failure_without_lock", write)

    compared, counted = guesses(served, 16)
    assert counted < compared == 16


def test_the_failure_that_locks_the_account_is_recorded_with_its_lock(served: Stage) -> None:
    with another_node(served, signin_free_failures=2, signin_lock_failures=2) as strict:
        assert [sign_in(strict, password="wrong").status_code for _ in range(2)] == [401] * 2
        assert sign_in(strict).status_code == 401

    told = [one["action"] for one in served.events() if one["action"].startswith("signin.")]
    assert told == ["signin.failed", "signin.failed", "signin.locked", "signin.failed"]
    assert len(served.events("incident.opened")) == 1


def test_a_count_that_was_cleared_meanwhile_begins_anew(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        sign_in(served, password="wrong")
    usual = attempts.count_failure_without_lock

    def cleared(connection: Any, values: dict[str, Any]) -> bool:
        assert elsewhere(lambda: sign_in(served)).status_code == 200
        return usual(connection, values)

    monkeypatch.setattr(attempts, "count_failure_without_lock", cleared)
    sign_in(served, password="wrong")

    assert served.query("SELECT failures FROM signin_attempts") == [(1,)]


# -- what relied on the lock ---------------------------------------------------------------------------------


def overtaken(stage: Stage) -> list[str]:
    """Who is on the denylist after a role was taken from Dave while his sign-in held his row."""
    alice, user_id = stage.as_(ALICE), stage.user_id(DAVE)
    address, now = f"/v1/users/{user_id}/roles/auditor", clock.now()
    assert alice.put(address).status_code in (200, 201)
    row = {
        "id": "0190a1b2-0000-7000-8000-00000000000a", "user_id": user_id, "client_id": "x", "created_at": now, "last_seen_at": now,
        "idle_expires_at": now + timedelta(hours=1), "absolute_expires_at": now + timedelta(hours=1), "generation": 1,
    }  # fmt: skip
    with ThreadPoolExecutor(1) as pool:
        with stage.database.unlocked() as signing_in:
            signing_in.execute(text("UPDATE users SET last_login_at = now() WHERE username = 'dave'"))
            signing_in.execute(insert(sessions), row)
            taking = pool.submit(alice.delete, address)
            assert eventually(lambda: stage.query(_BLOCKED, "UPDATE users SET%") == [(1,)])
        assert taking.result(PATIENCE).status_code in (200, 204)
    return [value for (value,) in stage.query("SELECT value FROM revocations WHERE kind = 'av'")]


def test_other_services_learn_that_a_role_was_taken_from_a_user_who_was_signing_in(served: Stage) -> None:
    assert overtaken(served) == [served.user_id(DAVE)]


def test_without_the_second_look_they_would_not(served: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denylist, "_is_recent", lambda *_: False)

    assert overtaken(served) == []


def counted_and_ended(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str | None]:
    """How many sessions of Bob Alice ended, and how the one ended that he began after she had counted them."""
    alice, count = stage.as_(ALICE), bulk_revocation.queries.count_by_user
    stage.as_(BOB)
    late: list[Future[TestResponse]] = []
    with ThreadPoolExecutor(1) as pool:

        def counting(*given: Any) -> Any:
            found = count(*given)
            late.append(pool.submit(sign_in, stage, BOB))
            assert eventually(lambda: late[0].done() or stage.query(_BLOCKED, "WITH signed_in%") == [(1,)])
            return found

        with monkeypatch.context() as during:
            during.setattr(bulk_revocation.queries, "count_by_user", counting)
            answer = revoke(alice, {"user": "bob"}, 1)
        assert answer.status_code == 200
        return answer.json["count"], end_of(stage, late[0].result(PATIENCE).json["session_id"])


def test_no_session_begins_between_counting_and_ending_them(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert counted_and_ended(served, monkeypatch) == (1, None)


def test_without_that_lock_one_would_end_that_was_not_counted(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_revocation, "freeze_sessions", lambda _: None)

    assert counted_and_ended(served, monkeypatch) == (1, "admin")


def test_the_lock_lets_no_refresh_through_either(served: Stage) -> None:
    tokens = served.as_(DAVE).tokens
    with ThreadPoolExecutor(1) as pool:
        with served.database.writing() as connection:
            queries_beginning.freeze_sessions(connection)
            refreshing = pool.submit(refresh, served, tokens["refresh_token"])
            assert eventually(lambda: served.query(_BLOCKED, "WITH unchanged%") == [(1,)])
        assert refreshing.result(PATIENCE).status_code == 200
