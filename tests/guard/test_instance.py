"""Nodes that do not agree on issuer, audience or secret: the odd one says so and is not ready; the operator may change the issuer."""

from __future__ import annotations

from typing import Any

import pytest

from rbac_api.capabilities.operation.diagnosis import diagnose
from rbac_api.cli.prepare import adopt_issuer, operator_unit, prepare
from rbac_api.database.engine import Database
from rbac_api.sealing import SealBroken
from rbac_api.settings import SettingsRefused
from tests.builders import SECRET, OpenNode, Stage, settings_for
from tests.capabilities.signin.crowd import answers_to
from tests.cast import ALICE, DAVE
from tests.guard.test_keyring import OTHER_SECRET

ODD: dict[str, dict[str, Any]] = {
    "RBAC_ISSUER": {"issuer": "https://other.example"},
    "RBAC_AUDIENCE": {"audience": "other-api"},
    "RBAC_SECRET_KEY": {"secret_key": OTHER_SECRET},
}


def told(own: Stage) -> tuple[bool, str]:
    """Whether a node is ready, and what it says of the things that are not as they should be."""
    found = own.caller().get("/readyz").json
    return found["ready"], " ".join(check["detail"] for check in found["checks"] if not check["ok"])


def findings(own: Stage) -> dict[str, Any]:
    with operator_unit(own.settings, own.database, writes=False) as clearance:
        return {finding.name: finding for finding in diagnose(clearance)}


@pytest.mark.parametrize("name", ODD)
def test_the_odd_node_is_not_ready_and_says_why(stage: Stage, node: OpenNode, name: str) -> None:
    odd = node(**ODD[name])

    ready, detail = told(odd)

    assert not ready
    assert name in detail
    assert SECRET not in detail
    assert OTHER_SECRET not in detail
    assert told(stage) == (True, "")
    found = findings(odd)["instance"]
    assert (found.ok, name in found.detail) == (False, True)
    assert "adopt-issuer" in (found.remedy or "")
    assert findings(stage)["instance"].ok


def test_a_secret_that_opens_no_key_because_none_is_kept_is_found_out_too(
    stage: Stage, node: OpenNode
) -> None:
    stage.execute("DELETE FROM signing_keys")
    odd = node(secret_key=OTHER_SECRET, signing_algorithm="HS256")
    ready, detail = told(odd)
    assert (ready, "RBAC_SECRET_KEY is not the one" in detail) == (False, True)


def test_two_differences_are_both_told(node: OpenNode) -> None:
    _, detail = told(node(issuer="https://other.example", audience="other-api"))
    assert (
        "RBAC_ISSUER is https://other.example on this node, and http://127.0.0.1:8000 on the others" in detail
    )
    assert "RBAC_AUDIENCE is other-api" in detail


def test_the_secret_itself_stands_nowhere_in_the_database(stage: Stage) -> None:
    rows = dict(stage.query("SELECT name, value FROM instance"))
    assert rows.keys() == ODD.keys()
    assert SECRET not in str(rows)


def test_the_operator_changes_the_issuer_for_all_nodes(stage: Stage, node: OpenNode) -> None:
    dave, new = stage.as_(DAVE), node(issuer="https://new.example/auth")

    with operator_unit(new.settings, new.database) as clearance:
        adopt_issuer(clearance)

    assert (told(new), told(stage)[0]) == ((True, ""), False)
    assert answers_to(new, dave.tokens) == (401, 401)
    alice = new.as_(ALICE)
    assert alice.get(f"/v1/sessions/{dave.tokens['session_id']}").json["state"] == "ended"
    (event,) = stage.events("issuer.changed")
    assert "https://new.example/auth" in event["after"]
    assert "http://127.0.0.1:8000" in event["before"]
    assert event["actor_type"] == "operator"


def test_adopting_what_is_there_already_changes_nothing(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    with operator_unit(stage.settings, stage.database) as clearance:
        adopt_issuer(clearance)
    assert dave.get("/v1/me").status_code == 200
    assert stage.events("issuer.changed") == []


def test_another_secret_is_not_adopted(stage: Stage, node: OpenNode) -> None:
    odd = node(secret_key=OTHER_SECRET, issuer="https://new.example")
    with (
        operator_unit(odd.settings, odd.database) as clearance,
        pytest.raises(SettingsRefused, match="restore the original"),
    ):
        adopt_issuer(clearance)
    assert told(stage) == (True, "")


def test_a_start_on_a_file_takes_its_issuer_along_and_on_a_server_says_what_is_wrong(
    stage: Stage, node: OpenNode
) -> None:
    moved = node(port=9000)
    said = " ".join(prepare(moved.settings, moved.database).lines)
    if stage.engine == "sqlite":
        assert "Issuer and audience: now http://127.0.0.1:9000 and rbac-api" in said
    else:
        assert said.startswith("NOT READY: RBAC_ISSUER is http://127.0.0.1:9000 on this node")
    assert told(moved)[0] is (stage.engine == "sqlite")


def test_a_start_with_another_secret_adopts_nothing(stage: Stage, node: OpenNode) -> None:
    odd = node(secret_key=OTHER_SECRET, port=9000)
    before = stage.query("SELECT name, value FROM instance ORDER BY name")
    said = " ".join(prepare(odd.settings, odd.database).lines)
    assert "RBAC_SECRET_KEY is not the one that this database was created with" in said
    assert stage.query("SELECT name, value FROM instance ORDER BY name") == before


def test_a_database_of_before_is_recorded_at_the_first_start_with_the_right_secret(
    stage: Stage, node: OpenNode
) -> None:
    stage.execute("DELETE FROM instance")
    odd = node(secret_key=OTHER_SECRET)
    assert "run `rbac-api init`" in told(stage)[1]

    with pytest.raises(SealBroken):
        prepare(odd.settings, odd.database)
    assert stage.query("SELECT count(*) FROM instance") == [(0,)]
    prepare(stage.settings, stage.database)

    assert told(stage) == (True, "")


def test_without_a_key_kept_here_the_first_node_is_believed(empty_url: str) -> None:
    settings = settings_for(empty_url, signing_algorithm="HS256")
    database = Database(settings)
    prepare(settings, database)
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM instance").scalar() == 3
    database.dispose()
