"""A checkpoint and its proofs hold against what an outside party computes alone, and no rewritten trail passes."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from rbac_api.capabilities.audit import evidence
from rbac_api.capabilities.audit.evidence import verification_key
from rbac_api.trail import tree
from rbac_api.trail.tree import StoredTree, extend_tree
from rbac_verifier.merkle import GrowingTree, is_consistent, is_included, leaf_hash
from rbac_verifier.notes import Checkpoint, open_checkpoint, read_key
from tests.builders import Caller, Stage
from tests.capabilities.audit.test_export import lengthen
from tests.cast import ALICE, CAROL, DAVE

PATHS = ("/v1/audit/checkpoint", "/v1/audit/events/1/proof", "/v1/audit/consistency?from=1")


def checkpoint(caller: Caller) -> Checkpoint:
    answer = caller.get("/v1/audit/checkpoint")
    assert answer.content_type == "text/plain; charset=utf-8"
    return open_checkpoint(answer.text, read_key(caller.get("/v1/audit/checkpoint/key").text))


def roots(stage: Stage) -> list[bytes]:
    """The root of every size, computed from the events alone."""
    growing, found = GrowingTree(), []
    for event in stage.events():
        found.append(growing.root())
        growing.add(bytes.fromhex(event["hash"]))
    return [*found, growing.root()]


def raw(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def test_a_checkpoint_is_the_head_of_the_trail(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    found, head = checkpoint(carol), len(stage.events())

    assert found == Checkpoint("127.0.0.1:8000/v1/audit", head, roots(stage)[head])
    assert checkpoint(carol) == found, "asking adds no event"


def test_an_event_is_proved_to_be_in_trees_of_every_size(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    lengthen(stage, 150)
    every, events = roots(stage), stage.events()

    for seq, size in ((1, 1), (1, 65), (64, 64), (65, 130), (100, 129), (128, len(events)), (7, len(events))):
        proof = carol.get(f"/v1/audit/events/{seq}/proof?size={size}").json
        path = [raw(step) for step in proof["inclusion_path"]]
        leaf = leaf_hash(bytes.fromhex(events[seq - 1]["hash"]))
        assert is_included(seq - 1, size, leaf, path, every[size]), (seq, size)
        assert (proof["leaf_index"], proof["hash"]) == (seq - 1, events[seq - 1]["hash"])
        assert (raw(proof["leaf_hash"]), raw(proof["root_hash"])) == (leaf, every[size])
    assert carol.get("/v1/audit/events/7/proof").json["size"] == len(stage.events())


def test_a_tree_is_proved_to_be_the_beginning_of_a_later_one(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    lengthen(stage, 150)
    every = roots(stage)

    for first, second in ((1, 1), (1, 64), (63, 64), (64, 65), (64, 128), (100, 150), (129, len(every) - 1)):
        proof = carol.get(f"/v1/audit/consistency?from={first}&to={second}").json
        path = [raw(step) for step in proof["consistency_path"]]
        assert is_consistent(first, second, (every[first], every[second]), path), (first, second)
        assert (raw(proof["from_root_hash"]), raw(proof["to_root_hash"])) == (every[first], every[second])
    assert carol.get("/v1/audit/consistency?from=7").json["to"] == len(stage.events())


@pytest.mark.parametrize(
    ("path", "status", "pointer"),
    [
        ("/v1/audit/events/999999/proof", 404, None),
        ("/v1/audit/events/0/proof", 404, None),
        ("/v1/audit/events/5/proof?size=4", 422, "/size"),
        ("/v1/audit/events/5/proof?size=999999", 422, "/size"),
        ("/v1/audit/events/5/proof?size=0", 422, "/size"),
        ("/v1/audit/events/5/proof?size=-1", 422, "/size"),
        ("/v1/audit/events/5/proof?of=4", 422, "/of"),
        ("/v1/audit/consistency", 422, "/from"),
        ("/v1/audit/consistency?from=0&to=3", 422, "/from"),
        ("/v1/audit/consistency?from=5&to=3", 422, "/from"),
        ("/v1/audit/consistency?from=5&to=999999", 422, "/to"),
        ("/v1/audit/consistency?from=999999", 422, "/from"),
        ("/v1/audit/consistency?from=x", 422, "/from"),
        ("/v1/audit/checkpoint?size=3", 422, "/size"),
    ],
)
def test_a_proof_that_there_is_none_of_is_refused(
    stage: Stage, path: str, status: int, pointer: str | None
) -> None:
    answer = stage.as_(CAROL).get(path)

    assert answer.status_code == status
    assert [fault["pointer"] for fault in answer.json.get("errors", [])] == ([pointer] if pointer else [])


def test_only_who_reads_the_trail_gets_evidence_and_everybody_the_key(stage: Stage) -> None:
    assert {stage.as_(DAVE).get(path).status_code for path in PATHS} == {403}
    assert {stage.caller().get(path).status_code for path in PATHS} == {401}
    key = stage.caller().get("/v1/audit/checkpoint/key")
    assert key.text == f"{verification_key(stage.settings)}\n"


def test_events_that_wait_are_in_the_next_checkpoint(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    checkpoint(carol)
    stage.as_(ALICE).post("/v1/auth/logout")

    assert checkpoint(carol).size == len(stage.events())


def test_the_tree_grows_in_batches_and_refuses_until_it_is_whole(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    carol = stage.as_(CAROL)
    lengthen(stage, 700)
    monkeypatch.setattr(tree, "_BATCH_SIZE", 2)
    monkeypatch.setattr(evidence, "BATCHES", 3)

    answers = [carol.get("/v1/audit/checkpoint") for _ in range(6)]

    codes = [answer.status_code for answer in answers]
    assert codes[0] == 503
    assert codes == sorted(codes, reverse=True)
    assert codes[-1] == 200
    assert (answers[0].json["code"], answers[0].headers["Retry-After"]) == ("audit.tree_incomplete", "2")
    assert checkpoint(carol).root == roots(stage)[-1]


def test_stored_nodes_are_of_every_level_and_are_read_a_block_at_a_time(stage: Stage) -> None:
    lengthen(stage, 64 * 64 + 70)
    size = len(stage.events())
    pauses: list[int] = []

    assert extend_tree(stage.database, size, 100, lambda: pauses.append(1))
    assert extend_tree(stage.database, size, 0), "nothing is missing"
    assert pauses
    counts = dict(stage.query("SELECT level, count(*) FROM trail_nodes GROUP BY level"))
    assert counts == {6: size >> 6, 12: size >> 12}
    with stage.database.reading() as connection:
        assert StoredTree(connection).root(size) == roots(stage)[size]


def test_two_processes_that_add_the_same_nodes_add_them_once(stage: Stage) -> None:
    lengthen(stage, 200)
    size = len(stage.events())
    missing, first, hashes = tree._next_batch(stage.database, 6, size)
    assert extend_tree(stage.database, size, 9)

    tree._store(stage.database, 6, first, hashes)

    assert stage.query("SELECT count(*) FROM trail_nodes") == [(missing,)]
    assert extend_tree(stage.database, 64, 9), "a smaller size than another process had"


def test_the_key_is_of_the_installation_and_its_secret(stage: Stage) -> None:
    key = verification_key(stage.settings)
    other: Any = replace(stage.settings, secret_key="another secret of thirty-two bytes")

    assert key.startswith("127.0.0.1:8000/v1/audit+")
    assert verification_key(other).rpartition("+")[2] != key.rpartition("+")[2]
    named = verification_key(replace(stage.settings, issuer="https://rbac.example/a+b/"))
    assert named.startswith("rbac.example/a%2Bb/v1/audit+")
    assert str(read_key(named)) == named
