"""Nobody changes a user who holds more, on any path: neither the account, nor what one of its roles holds, requires or inherits.

Which paths there are the OpenAPI document says: an operation that writes has a story here, or a reason why it touches no other user.
"""

from __future__ import annotations

from typing import Any

import pytest

from rbac_api.capabilities.policy import outranking
from rbac_api.guard.enforcement.clearance import Clearance
from tests.attacks.stronger import (
    PAIRS,
    STORIES,
    STRENGTHS,
    THROUGH_A_ROLE,
    UNTOUCHING,
    outranks,
    set_scene,
)
from tests.attacks.test_every_path import checksum
from tests.builders import Stage
from tests.contract.operations import operations

every_story = pytest.mark.parametrize("story", sorted(STORIES))


def test_every_operation_that_writes_has_a_story_or_touches_nobody_else(stage: Stage) -> None:
    writing = {found.id for found in operations(stage.app) if found.writes and not found.asks}
    told = {story.partition(":")[0] for story in STORIES}

    assert told | set(UNTOUCHING) == writing
    assert not told & set(UNTOUCHING)


def test_each_pair_of_the_cast_differs_in_strength() -> None:
    assert len({frozenset(held) for held in STRENGTHS.values()}) == len(STRENGTHS)
    assert {outranks(*pair) for pair in PAIRS} == {True, False}
    assert [pair for pair in PAIRS if not outranks(*pair) and not outranks(*pair[::-1])] != []


@every_story
def test_a_weaker_caller_changes_nothing_and_a_stronger_one_may(stage: Stage, story: str) -> None:
    wrong: list[Any] = []
    for actor, victim in PAIRS:
        call = STORIES[story](set_scene(stage, actor, victim))
        before = checksum(stage)

        answer = call.send()

        if outranks(actor, victim):
            right = answer.status_code < 300
        else:
            refused = (answer.status_code, (answer.json or {}).get("code")) == (403, "target.stronger")
            lacked = sorted(set(STRENGTHS[victim]) - set(STRENGTHS[actor]))
            right = refused and answer.json["missing"] == lacked and checksum(stage) == before
            recorded = str(stage.events("access.refused")[-1]["reason"])  # which no erasure reaches
            right = right and "dave" not in recorded.replace("daves-own", "")
        if not right:
            wrong.append((actor, victim, answer.status_code, answer.text))
    assert wrong == []


def guards_of(story: str) -> list[tuple[Any, str]]:
    """Where the comparison is made that the twin of a story leaves out."""
    if story in THROUGH_A_ROLE:
        asked_once = (outranking, "_ask")  # a policy's, for all its steps
        return [asked_once if "_policy" in story else (Clearance, "require_outranks_holders")]
    if story == "create_client_secret":  # a secret hands out what its account holds
        return [(Clearance, "require_outranks"), (Clearance, "require_held")]
    return [(Clearance, "require_outranks")]


@every_story
def test_without_the_guard_the_stronger_user_would_be_changed(
    stage: Stage, story: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vulnerable twin: the comparison is left out, and each story does what it sets out to do."""
    call = STORIES[story](set_scene(stage, "clerk", "chief"))
    before = len(stage.events())
    for place, guard in guards_of(story):
        monkeypatch.setattr(place, guard, lambda *_: None)

    answer = call.send()

    assert answer.status_code < 300, answer.text
    assert len(stage.events()) > before


def test_a_dynamic_constraint_that_cannot_bind_a_stronger_user_is_anybodys_to_make(stage: Stage) -> None:
    """Dave and the program hold one of its two roles, and are not changed by it."""
    scene = set_scene(stage, "clerk", "chief")
    assert scene.alice.delete(f"{scene.dave}/roles/other").status_code == 204

    answer = STORIES["create_constraint"](scene).send()

    assert answer.status_code == 201, answer.text
