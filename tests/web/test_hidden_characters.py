"""No free text holds what cannot be seen or what turns the direction of writing, whichever way it comes in."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from rbac_api.decision.document_form import document_schema, entry_faults
from rbac_api.decision.texts import LINE, LINES, text_problem
from tests.builders import Stage
from tests.cast import ALICE, DAVE
from tests.contract.operations import operations

HIDDEN = (
    *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A)), "\u061c", "\u200e", "\u200f",  # bidirectional controls, all
    "\u2028", "\u2029", "\x85", "\x0b", "\x1b", "\x9b",
    "\u200b", "\u200c", "\u200d", "\u2060", "\u2063", "\ufeff", "\u00ad", "\u034f", "\u180e", "\u3164", "\uffa0", "\u115f", "\u2800",
    "\ufff9", "\ufffe", "\U000e0041", "\U000e0101",
)  # fmt: skip
PLAINLY_SEEN = (
    "Zażółć gęślą jaźń",
    "名前",
    "שלום",
    "سلام",
    "⚠️ careful",
    "naïve – “quoted” …",
    "a\u00a0b",
    "Ω≈ç√",
    "𝔊",
    "🎉",
    "می\u200cخواهم",
    "علی\u200cرضا",
    "क्\u200dष क्\u200cष",
    "ශ්\u200dරී",
    "👨\u200d👩\u200d👧\u200d👦 👩🏽\u200d💻 🏳️\u200d🌈 ❤️\u200d🔥 🙂\u200d↔️ 🐦\u200d⬛",
)
JOINED_TO_NOTHING = (
    "سلا\u200c", "\u200cسلا", "سلا\u200c\u200dم", "سلا\u200c م", "سلا\u200ca", "👩\u200c💻", "👩\u200d", "\u200d💻", "👩\u200da",
    "👩\u200dع", "👩\ufe0f\ufe0f\u200d💻", "a\ufe0f\u200d💻", "سلا\u061c\u200cم",
)  # fmt: skip
# Taken as they are: secrets, which are compared and never shown, and a sign-in name, which is only looked up.
VERBATIM = {
    "password",
    "new_password",
    "current_password",
    "otp",
    "code",
    "token",
    "refresh_token",
    "client_secret",
    "username",
}
ELSEWHERE = {
    "client_id",
    "scope",
    "grant_type",
    "token_type_hint",
    "resource",
}  # OAuth forms: compared with what is known
OPEN = ("/access/",)  # AuthZEN: questions, of which nothing is kept


def strings(
    schema: Any, components: Any, name: str = "", seen: tuple[str, ...] = ()
) -> Iterator[tuple[str, Any]]:
    """Every string that a schema lets in, with the name of its member."""
    if "$ref" in schema:
        reference = schema["$ref"].rpartition("/")[2]
        if reference not in seen:
            yield from strings(components["schemas"][reference], components, name, (*seen, reference))
    for part in (*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from strings(part, components, name, seen)
    for member, inner in schema.get("properties", {}).items():
        yield from strings(inner, components, member, seen)
    if isinstance(schema.get("items"), dict):
        yield from strings(schema["items"], components, name, seen)
    kind = schema.get("type", "")
    if kind == "string" or "string" in kind:
        yield name, schema


def taken(stage: Stage) -> Iterator[tuple[str, str, Any]]:
    """(operation, member, schema) of every string in a body or a query."""
    for found in operations(stage.app):
        if found.path.startswith(OPEN):
            continue
        for content in found.described.get("requestBody", {}).get("content", {}).values():
            for name, schema in strings(content["schema"], found.components):
                yield found.id, name, schema
        for given in found.described.get("parameters", []):
            known = found.components["parameters"]
            parameter = known[given["$ref"].rpartition("/")[2]] if "$ref" in given else given
            if parameter["in"] == "query":
                for _, schema in strings(parameter["schema"], found.components):
                    yield found.id, parameter["name"], schema


def lets_in(schema: Any, text: str) -> bool:
    """Whether a string may be this text: not where it has a format, or one of several (an address)."""
    formatted = all("format" in part for part in schema.get("anyOf", [schema]))
    return "enum" not in schema and not formatted and bool(re.search(schema.get("pattern", ""), text))


def test_no_string_of_any_operation_lets_a_hidden_character_in(stage: Stage) -> None:
    loose = {
        (operation, name, f"U+{ord(hidden):04X}")
        for operation, name, schema in taken(stage)
        if name not in VERBATIM | ELSEWHERE
        for hidden in HIDDEN
        if any(
            lets_in(schema, text)
            for text in (f"ab{hidden}cd", f"{hidden}ab@cd.ef", f"ab@cd{hidden}.ef", f"ab:c{hidden}d")
        )
    }

    assert loose == set()


def test_no_text_of_any_document_lets_a_hidden_character_in() -> None:
    schemas = list(strings(document_schema(), {}))
    loose = {
        (name, hidden)
        for name, schema in schemas
        for hidden in HIDDEN
        if name not in ("username", "starts_at", "expires_at") and lets_in(schema, f"ab{hidden}cd")
    }

    assert {name for name, _ in schemas} >= {"description", "reason", "display_name", "email"}
    assert loose == set()


def test_no_string_of_any_operation_or_document_is_spaces_alone(stage: Stage) -> None:
    places = [*taken(stage), *(("a document", *found) for found in strings(document_schema(), {}))]
    loose = {
        (operation, name, blank)
        for operation, name, schema in places
        if name not in VERBATIM | ELSEWHERE | {"starts_at", "expires_at"}
        for blank in (" ", "   ", "\u00a0", "\u3000 ", "\t", "\n \n")
        if lets_in(schema, blank)
    }

    assert loose == set()
    alice = stage.as_(ALICE)
    for blank in (" ", "\u00a0 \u2003"):
        refused = alice.post("/v1/roles", json={"name": "reader", "title": blank})
        assert refused.status_code == 422
        assert "spaces alone" in refused.text
        assert [fault.words for fault in entry_faults("roles", {"name": "reader", "title": blank})] == [
            "title has spaces alone; write a word, or leave it out"
        ]


@pytest.mark.parametrize("hidden", HIDDEN, ids=lambda c: f"U+{ord(c):04X}")
def test_documents_and_tables_are_read_by_the_same_rule(hidden: str) -> None:
    text = f"ab{hidden}cd"
    sections = {
        "permissions": {"name": "a:b", "description": text},
        "roles": {"name": "ab", "description": text},
        "users": {"username": text, "display_name": text, "email": f"{text}@example.com"},
        "assignments": {"user": "dave", "role": "ab", "reason": text},  # a row of a CSV file, too
    }

    faults = {fault.place[0] for section, entry in sections.items() for fault in entry_faults(section, entry)}

    assert faults == {"description", "username", "display_name", "email", "reason"}


@pytest.mark.parametrize("text", PLAINLY_SEEN)
def test_what_is_plainly_seen_is_let_in(text: str) -> None:
    assert (text_problem(text, LINE), text_problem(text, LINES)) == (None, None)
    assert re.search(LINE, text)
    assert re.search(LINES, f"{text}\n\t{text}")


@pytest.mark.parametrize("text", JOINED_TO_NOTHING, ids=ascii)
def test_a_joiner_with_nothing_to_join_is_hidden(text: str) -> None:
    assert "U+" in str(text_problem(text, LINE))
    assert "U+" in str(text_problem(text, LINES))
    assert not re.search(LINE, text)
    assert not re.search(LINES, text)


def test_a_text_of_joiners_is_read_in_linear_time() -> None:
    for part in ("س\u200c", "👩\u200d", "👩\ufe0f\u200d"):
        began = time.process_time()
        assert not re.search(LINE, part * 2000)
        assert text_problem(part * 2000, LINE)
        assert time.process_time() - began < 1


def test_names_and_texts_with_joiners_come_back_as_they_were_and_are_found_without(stage: Stage) -> None:
    alice, name, family = stage.as_(ALICE), "علی\u200cرضا", "👨\u200d👩\u200d👧"
    user = {"username": "erin", "display_name": name}
    role = {"name": "clerk", "title": name, "description": family}
    permission = {"name": "books:close", "title": family, "description": name}
    document = {"roles": [{"name": "scribe", "title": family, "description": name}]}

    made = {
        path: alice.post(f"/v1/{path}", json=body)
        for path, body in (("users", user), ("roles", role), ("permissions", permission))
    }

    assert {path: answer.status_code for path, answer in made.items()} == dict.fromkeys(made, 201)
    assert made["users"].json["display_name"] == name
    assert (made["roles"].json["title"], made["roles"].json["description"]) == (name, family)
    planned = alice.post("/v1/policy/plan", json=document)
    assert planned.json["created"]["roles"][0]["title"] == family
    found = alice.get("/v1/users", query_string={"q": name.replace("\u200c", "")}).json["items"]
    assert [item["username"] for item in found] == ["erin"]


@pytest.mark.parametrize("joined", ["علی\u200cرضا", "👨\u200d👩", "क्\u200dष"], ids=ascii)
def test_what_is_compared_has_no_joiner(stage: Stage, joined: str) -> None:
    alice = stage.as_(ALICE)
    attempts = [
        alice.post("/v1/users", json={"username": joined}),
        alice.post("/v1/service-accounts", json={"name": joined}),
        alice.post("/v1/roles", json={"name": joined, "description": "x"}),
        alice.post("/v1/permissions", json={"name": f"a:{joined}", "description": "x"}),
        alice.post("/v1/users", json={"username": "erin", "email": f"{joined}@example.com"}),
    ]

    assert [answer.status_code for answer in attempts] == [422] * len(attempts)
    faults = entry_faults("users", {"username": joined, "email": f"{joined}@example.com"})
    assert {fault.place[0] for fault in faults} == {"username", "email"}


@pytest.mark.parametrize("hidden", HIDDEN, ids=lambda c: f"U+{ord(c):04X}")
def test_the_rule_and_its_pattern_agree_and_say_where(hidden: str) -> None:
    problem = text_problem(f"ab{hidden}cd", LINE)

    assert not re.search(LINE, f"ab{hidden}cd")
    assert not re.search(LINES, f"ab{hidden}cd")
    assert f"U+{ord(hidden):04X} at position 3" in str(problem)


def test_the_answer_names_the_character_the_place_and_the_remedy(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.user_id(DAVE)
    attempts = [
        alice.put(f"/v1/users/{dave}/roles/auditor", json={"reason": "approved\u202eby nobody"}),
        alice.post("/v1/roles", json={"name": "clerk", "description": "a\u2028b"}),
        alice.post("/v1/permissions", json={"name": "a:b", "description": "a\u200bb"}),
        alice.post("/v1/users", json={"username": "erin", "display_name": "Er\u2066in"}),
        alice.post("/v1/users", json={"username": "erin", "email": "er\u202ein@example.com"}),
        alice.patch("/v1/me", json={"display_name": "Al\ufeffice"}),
        alice.post("/v1/service-accounts", json={"name": "robot", "description": "a\u2069b"}),
        alice.post(
            "/v1/sessions/revocations",
            json={"filter": {"user": "dave"}, "expected_count": 0, "reason": "\u202ea"},
        ),
    ]

    assert [answer.status_code for answer in attempts] == [422] * len(attempts)
    assert "U+202E at position 9" in attempts[0].json["errors"][0]["detail"]
    assert "remove it" in attempts[0].json["errors"][0]["detail"]
