"""``?q=`` finds a text anywhere in what names a thing, without regard to case and accents, on every list that has it."""

from __future__ import annotations

from typing import Any

import pytest

from rbac_api.decision.names import search_form, search_text
from tests.builders import Caller, Stage
from tests.cast import ALICE, DAVE
from tests.contract.operations import operations

LISTS = {
    "list_users": "username",
    "list_roles": "name",
    "list_permissions": "name",
    "list_service_accounts": "name",
}
PEOPLE = {
    "tomasz.kozlowski": {"email": "T.Wojcik@Example.com", "display_name": "Tomasz Kozłowski-Wójcik"},
    "soren": {"email": "SØREN@example.com", "display_name": "Søren Åkesson-Straße"},
    "kenji": {"email": None, "display_name": "日本 太郎"},
    "gonul": {"email": None, "display_name": "Gönül IŞIK"},
}
FOUND = {
    "kozlowski": {"tomasz.kozlowski"}, "KOZŁOWSKI": {"tomasz.kozlowski"}, "Wójcik": {"tomasz.kozlowski"},
    "wojcik@ex": {"tomasz.kozlowski"}, "owski-w": {"tomasz.kozlowski"}, "soren@": {"soren"}, "akesson": {"soren"},
    "strasse": {"soren"}, "ＳＯＲＥＮ": {"soren"}, "本 太": {"kenji"}, "ISIK": {"gonul"}, "gonul ışık": {"gonul"},
    " Kozlowski ": {"tomasz.kozlowski"}, "tomasz  kozlowski": {"tomasz.kozlowski"}, "太郎\u3000": {"kenji"},
    "kozlowskit": set(), "%": set(), "_": set(), "'": set(), "\\": set(), "kozlowski t.w": set(),
}  # fmt: skip


def found(caller: Caller, path: str, name: str, **query: str) -> set[str]:
    answer = caller.get(path, query_string={"count": "true", **query})
    assert answer.status_code == 200, answer.text
    assert answer.json["total"] == len(answer.json["items"])
    return {item[name] for item in answer.json["items"]}


def test_every_list_with_a_search_is_known_here(stage: Stage) -> None:
    searching = {
        operation.id
        for operation in operations(stage.app)
        if any(parameter.get("name") == "q" for parameter in operation.described.get("parameters", []))
    }

    assert searching == set(LISTS)


@pytest.fixture
def alice(stage: Stage) -> Caller:
    """Alice, with people of many alphabets to be found."""
    caller = stage.as_(ALICE)
    for username, details in PEOPLE.items():
        assert caller.post("/v1/users", json={"username": username, **details}).status_code == 201
    return caller


def test_users_are_found_by_any_part_of_their_names_without_accents(alice: Caller) -> None:
    assert {text: found(alice, "/v1/users", "username", q=text) for text in FOUND} == FOUND


def test_pages_of_a_search_follow_each_other(alice: Caller) -> None:
    first = alice.get("/v1/users?q=o&limit=2").json
    second = alice.get("/v1/users", query_string={"q": "o", "limit": "2", "cursor": first["next"]}).json

    names = [user["username"] for page in (first, second) for user in page["items"]]
    assert names == ["bob", "carol", "gonul", "mallory"] or names == sorted(names)


@pytest.mark.parametrize("changed", [{"display_name": "Zoë Brûlée"}, {"email": "zoe.brulee@example.com"}])
def test_who_is_renamed_is_found_by_the_new_name_alone(stage: Stage, changed: dict[str, Any]) -> None:
    alice = stage.as_(ALICE)
    alice.patch_now(f"/v1/users/{stage.user_id(DAVE)}", {"display_name": "Old", "email": "old@example.com"})

    alice.patch_now(f"/v1/users/{stage.user_id(DAVE)}", changed)

    assert found(alice, "/v1/users", "username", q="brulee") == {"dave"}
    assert found(alice, "/v1/users", "username", q="dave") == {"dave"}
    kept = "old@" if "display_name" in changed else "old"
    assert found(alice, "/v1/users", "username", q=kept) == {"dave"}


def test_who_changes_her_own_profile_is_found_by_it(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    assert dave.patch("/v1/me", json={"display_name": "Dąbrowski"}).status_code == 200

    assert found(stage.as_(ALICE), "/v1/users", "username", q="dabrow") == {"dave"}


def test_of_a_deleted_user_nothing_is_left_to_search(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.delete_now(f"/v1/users/{stage.user_id(DAVE)}")

    assert found(alice, "/v1/users", "username", q="dave") == set()
    assert stage.query("SELECT search_text FROM users WHERE username_canonical = 'dave'") == [("",)]


def test_roles_and_permissions_are_found_by_name_and_description(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk", "description": "Führt die Bücher."})
    alice.post("/v1/permissions", json={"name": "books:close", "description": "Schließt die Bücher."})

    assert found(alice, "/v1/roles", "name", q="BUCHER") == {"clerk"}
    assert found(alice, "/v1/roles", "name", q="LER") == {"clerk"}
    assert found(alice, "/v1/permissions", "name", q="schliesst") == {"books:close"}
    assert found(alice, "/v1/permissions", "name", q="ooks:cl") == {"books:close"}
    assert found(alice, "/v1/roles", "name", q="%") == set()


def test_roles_and_permissions_are_found_by_title(stage: Stage) -> None:
    alice, title = stage.as_(ALICE), "Rechnungsfreigabe (SAP: Z_FI_AP_APPROVE)"
    alice.post("/v1/roles", json={"name": "approver", "title": title, "description": "x"})
    alice.post("/v1/permissions", json={"name": "a:b", "title": title, "description": "x"})

    for text in ("z_fi_ap", "rechnungs", "(SAP:"):
        assert found(alice, "/v1/roles", "name", q=text) == {"approver"}
        assert found(alice, "/v1/permissions", "name", q=text) == {"a:b"}


def test_service_accounts_are_found_by_name_and_description(stage: Stage) -> None:
    alice, accounts = stage.as_(ALICE), "/v1/service-accounts"
    made = alice.post(accounts, json={"name": "invoice-robot", "description": "Vérifie"}).json
    assert found(alice, accounts, "name", q="voice") == found(alice, accounts, "name", q="verif")

    alice.patch_now(f"{accounts}/{made['id']}", {"description": "Envoie"})

    assert found(alice, accounts, "name", q="verif") == set()
    assert found(alice, accounts, "name", q="ENVOI") == {"invoice-robot"}
    alice.delete_now(f"{accounts}/{made['id']}")
    assert found(alice, accounts, "name", q="robot") == set()


@pytest.mark.parametrize(
    "text",
    [
        "Kozłowski",
        "ＫＯＺ",
        "ﬁ",
        "ǅ",
        "Straße",
        "İ",
        "한국",
        "e\u0301",
        "ΐ",
        "\U0001f600",
        "O\u2019Brien\u2013\u00b4s",
    ],
)
def test_the_form_for_searches_is_reached_once_and_for_all(text: str) -> None:
    once = search_form(text)

    assert search_form(once) == once
    assert search_form(text.upper()) == search_form(text.lower()) or text == "İ"


@pytest.mark.parametrize("text", ["O'Brien-Ní", "O\u2019Brien\u2013Ni", "o\u02bcbrien\u2011n\u00ed"])
def test_typographic_marks_are_found_by_those_of_a_keyboard(text: str) -> None:
    assert search_form(text) == "o'brien-ni"


def test_nothing_is_found_across_two_texts() -> None:
    assert "ab" not in search_text("a", None, "b", "")
