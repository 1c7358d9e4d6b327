"""The administrator of a domain changes nothing outside, and learns nothing of what is there: on every operation there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import true

from rbac_api.capabilities.users import listing, queries_listing
from rbac_api.guard.enforcement.authority import Authority
from rbac_api.guard.enforcement.clearance import Clearance
from tests.builders import Caller, Stage
from tests.contract.operations import operations
from tests.guard import hostile, tenants
from tests.guard.tenants import (
    ADMINISTRATOR,
    FOREIGN,
    administrator,
    elsewhere,
    pairs,
    prepare,
    restore,
    shown,
    unreadable_words,
)

pytestmark = pytest.mark.large
ADMINISTRATORS = (ADMINISTRATOR, "alice")


def told_apart(stage: Stage, name: str = ADMINISTRATOR) -> list[str]:
    """The requests about foreign things that are answered otherwise than those about none."""
    prepare(stage)
    ada, found = administrator(stage), []
    for pair in pairs(stage):
        headers = {"If-Match": '"none"'} if pair.operation.conditional else {}
        answers = [
            ada.call(pair.operation.method, path, headers=headers, **({} if body is None else {"json": body}))
            for path, body in ((pair.foreign, pair.body), (pair.unknown, pair.other or pair.body))
        ]
        if shown(answers[0], pair.names) != shown(answers[1], pair.names):
            found.append(f"{pair}: {answers[0].status_code} {answers[1].status_code} {answers[0].text[:200]}")
        if any(answer.status_code < 300 for answer in answers) and pair.operation.writes:
            restore(stage)
            ada = administrator(stage, name)
    return found


@pytest.mark.large
@pytest.mark.parametrize("name", ADMINISTRATORS)
def test_what_is_at_home_elsewhere_is_answered_as_what_does_not_exist(stage: Stage, name: str) -> None:
    assert told_apart(stage, name) == []


@pytest.mark.parametrize("name", ADMINISTRATORS)
def test_no_list_and_no_answer_names_what_is_elsewhere(stage: Stage, name: str) -> None:
    assert leaks(stage, name) == []


def leaks(stage: Stage, name: str = ADMINISTRATOR) -> list[str]:
    """Reading operations whose answers have foreign words, or whose pages and counts know of more rows than are shown."""
    prepare(stage)
    ada, found, seen = administrator(stage, name), [], Counter[int]()
    for operation in operations(stage.app):
        if operation.method != "GET" or operation.public:
            continue
        for names in own_names(stage, operation.parameters):
            path = operation.at(names)
            needed = "?permission=invoices:read" if operation.id.endswith("_access") else "?"
            answer = ada.get(path + needed)
            seen[answer.status_code] += 1
            if words := unreadable_words(answer.text, path):
                found.append(f"{path}: {sorted(words)}")
            if answer.status_code == 200 and answer.is_json and "next" in answer.json:
                found += uneven(ada, path, needed)
    assert seen[200] > 15
    return found


def own_names(stage: Stage, parameters: list[str]) -> list[dict[str, str]]:
    """Path parameters that name one's own things, each account once."""
    mine = {name: some[0] for name, some in tenants.own_targets(stage).items()}
    mine |= {"domain": "acme", "role": "clerk", "permission": "invoices:read"}
    if "user_id" in parameters:
        return [{**mine, "user_id": stage.user_id(name)} for name in ("ada", "ann", "eve", "amy")]
    return [mine]


def uneven(caller: Caller, path: str, query: str) -> list[str]:
    """What pages of one entry and the count say otherwise than a page of all entries."""
    everything = caller.get(f"{path}{query}&limit=200&count=true").json
    singles: list[Any] = []
    cursor = ""
    while True:
        page = caller.get(f"{path}{query}&limit=1{cursor}").json
        if len(page["items"]) != 1 and page["next"]:
            return [f"{path}: a page of {len(page['items'])} with a page after it"]
        singles += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    if len(singles) != len(everything["items"]) or everything["total"] not in (None, len(singles)):
        return [
            f"{path}: {len(singles)} entries, a page of {len(everything['items'])} of {everything['total']}"
        ]
    return []


def changed(
    stage: Stage, name: str = ADMINISTRATOR, only: Callable[[hostile.Attempt], bool] = lambda _: True
) -> list[str]:
    """The attempts of the administrator of ``acme`` that changed something elsewhere."""
    prepare(stage)
    ada, before, found, answered = administrator(stage, name), elsewhere(stage), [], Counter[int]()
    for attempt in filter(only, list(hostile.attempts_at(stage, tenants.own_targets(stage)))):
        answer = hostile.send(ada, attempt)
        answered[answer.status_code] += 1
        if answer.status_code >= 400:
            continue
        after = elsewhere(stage)
        if after != before:
            found.append(f"{attempt}: {[name for name in after if after[name] != before[name]]}")
        restore(stage)
        ada = administrator(stage, name)
    assert answered[201] + answered[200] + answered[204] > 5, answered
    return found


@pytest.mark.large
@pytest.mark.parametrize("name", ADMINISTRATORS)
def test_nothing_elsewhere_is_changed_whatever_is_tried(stage: Stage, name: str) -> None:
    assert changed(stage, name) == []


def gained(stage: Stage) -> list[str]:
    """The attempts of Lee by which an account was granted, at a domain, what Lee was not granted there or above."""
    prepare(stage)
    lee, before, found, answered = administrator(stage, "lee"), tenants.granted(stage), [], Counter[int]()
    everywhere = {name for _, name in before}
    his = {at: tenants.held_at(before, "lee", at) for at in {*everywhere, *tenants.DOMAINS, "root"}}
    for attempt in list(hostile.attempts_at(stage, tenants.own_targets(stage))):
        answer = hostile.send(lee, attempt)
        answered[answer.status_code] += 1
        if answer.status_code >= 400:
            continue
        for (name, at), held in tenants.granted(stage).items():
            if more := held - before.get((name, at), frozenset()) - his[at]:
                found.append(f"{attempt}: {name} has {sorted(more)} at {at}")
        restore(stage)
        lee = administrator(stage, "lee")
    assert answered[200] + answered[201] + answered[204] > 5, answered
    return found


@pytest.mark.large
def test_no_account_gets_at_a_domain_what_its_giver_does_not_hold_there(stage: Stage) -> None:
    assert gained(stage) == []


def test_what_is_handed_out_unasked_is_caught(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin that does not ask whether the giver holds at the domain what is handed out there."""
    monkeypatch.setattr(Authority, "require_held", lambda *_: None)
    assert gained(stage)


def test_a_service_that_does_not_ask_at_the_home_is_caught(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin that lets in whoever holds the permission anywhere, wherever the thing is at home."""

    def unasked(self: Authority, home: str, *_: object) -> Authority:
        self.work.undecided = False
        return self._replace(domain=home)

    monkeypatch.setattr(Authority, "over", unasked)
    assert any("gus-foreign" in one or "get_user " in one for one in told_apart(stage))
    assert changed(
        stage,
        only=lambda attempt: attempt.operation.id in ("update_user", "unlock_user", "create_client_secret"),
    )


def test_strength_compared_at_root_alone_is_caught(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin that does not look at what is held at other domains: amy's password gives what she holds at globex."""
    prepare(stage)
    path = f"/v1/users/{stage.user_id('amy')}/password-reset"
    assert administrator(stage).post(path).json["code"] == "target.stronger"
    asked = Clearance.require_outranks_at
    monkeypatch.setattr(
        Clearance,
        "require_outranks_at",
        lambda self, held, *more: asked(self, {"root": held.get("root", frozenset())}, *more),
    )
    assert administrator(stage).post(path).status_code == 201


def test_a_list_that_is_filtered_after_paging_is_caught(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin that reads a page of all users and leaves out those who may not be read."""
    read = queries_listing.list_users
    monkeypatch.setattr(listing, "at_home", lambda *_: true())
    monkeypatch.setattr(
        listing.queries,
        "list_users",
        lambda *asked: [
            row if row.home.startswith("acme") else row._replace(username="x") for row in read(*asked)
        ],
    )
    monkeypatch.setattr(
        listing,
        "describe_all",
        lambda _, rows: [
            listing.describe(row) for row in rows if not FOREIGN.search(row.home) and row.username != "x"
        ],
    )
    assert any(one.startswith("/v1/users:") for one in leaks(stage))
