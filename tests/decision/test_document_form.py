"""The published schema and the reader agree: what one takes the other takes, what one refuses the other refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rbac_api.decision.document import DocumentRefused, document_schema, moment_of, read_document
from rbac_api.decision.document_form import FORMS

SCHEMA = jsonschema_rs.Draft202012Validator(document_schema())
SEEDS = Path(__file__).parents[2] / "seed_data"
HELD = {"user": "dave", "role": "ab"}
RULE = {"name": "ab", "roles": ["aa", "bb"]}
GOOD: dict[str, Any] = {
    "nothing": {},
    "empty sections": {section: [] for section in FORMS},
    "a permission": {"permissions": [{"name": "a:b", "description": "x"}]},
    "domains": {"domains": [{"name": "acme"}, {"name": "acme.eu", "title": "EU", "description": "x\ny"}]},
    "names as other systems write them": {
        "permissions": [
            {"name": "s3:Bucket:GetObject", "title": "S3 · Get", "description": "x"},
            {"name": "9:a", "title": None, "description": "x"},
        ],
        "roles": [{"name": "Z_FI.Clerk", "title": "Kreditoren (SAP)", "permissions": ["s3:Bucket:GetObject"]}, {"name": "a", "title": ""}],
    },
    "a bare role": {"roles": [{"name": "ab"}]},
    "homes": {
        "roles": [{"name": "ab"}, {"name": "ab", "home": "acme"}, {"name": "cc", "home": "root"}, {"name": "d@acme", "home": "acme"}],
        "constraints": [{"name": "r", "home": "acme", "kind": "requires", "roles": ["ab@acme", "d@acme"]}],
    },
    "a whole role": {
        "roles": [{"name": "ab", "description": "x\ny", "grants": "reads", "requires_mfa": True, "permissions": ["a:b"],
                   "inherits": ["cc"]}]
    },
    "a static rule": {"constraints": [{**RULE, "kind": "static", "limit": 2}]},
    "a crowd": {"constraints": [{"name": "ab", "kind": "max-holders", "roles": ["aa"], "limit": 1}]},
    "a requirement": {"constraints": [{**RULE, "kind": "requires"}]},
    "a requirement without a limit": {"constraints": [{**RULE, "kind": "requires", "limit": None}]},
    "a person": {"users": [{"username": "Ærin Ø", "email": "a@b", "display_name": "x", "home": "acme.eu"}]},
    "an assignment": {"assignments": [HELD]},
    "a program's": {"assignments": [{"service_account": "robot", "role": "ab", "mode": "active"}]},
    "times": {
        "assignments": [{**HELD, "starts_at": "2030-01-01T00:00:00Z", "expires_at": "2030-01-01t00:00:00.123456+02:30", "reason": ""}]
    },
    "no times": {"assignments": [{**HELD, "starts_at": None, "expires_at": None, "max_duration": None}]},
    "eligible": {"assignments": [{**HELD, "mode": "eligible", "max_duration": 60}]},
}  # fmt: skip
GOOD["times"]["assignments"][0]["expires_at"] = "2030-01-01t00:00:00.123456-02:30"
BAD: dict[str, Any] = {
    "a list": [],
    "a number for a username": {"users": [{"username": 5}]},
    "text": "roles",
    "an unknown section": {"groups": []},
    "a section that is a mapping": {"roles": {}},
    "an entry that is text": {"roles": ["ab"]},
    "an unknown key": {"roles": [{"name": "ab", "x": 1}]},
    "no name": {"roles": [{}]},
    "a domain without a name": {"domains": [{"title": "Acme"}]},
    "a domain in capitals": {"domains": [{"name": "ACME"}]},
    "the root": {"domains": [{"name": "root"}]},
    "a domain in the root by name": {"domains": [{"name": "root.acme"}]},
    "an empty name": {"permissions": [{"name": "", "description": "x"}]},
    "no description": {"permissions": [{"name": "a:b"}]},
    "an empty description": {"permissions": [{"name": "a:b", "description": ""}]},
    "a number for a name": {"roles": [{"name": 7}]},
    "a space": {"roles": [{"name": "A b"}]},
    "a digit first": {"roles": [{"name": "1st"}]},
    "a long name": {"roles": [{"name": "a" * 128}]},
    "a long permission": {"permissions": [{"name": "a:" + "b" * 199, "description": "x"}]},
    "five parts": {"permissions": [{"name": "a:b:c:d:e", "description": "x"}]},
    "a long title": {"permissions": [{"name": "a:b", "title": "x" * 201, "description": "x"}]},
    "a title of two lines": {"roles": [{"name": "ab", "title": "a\nb"}]},
    "a title that is a number": {"roles": [{"name": "ab", "title": 1}]},
    "a role of an assignment that is none": {"assignments": [{"user": "dave", "role": "A b"}]},
    "a long description": {"roles": [{"name": "ab", "description": "x" * 1001}]},
    "a control character": {"roles": [{"name": "ab", "description": "a\x07"}]},
    "a null description": {"roles": [{"name": "ab", "description": None}]},
    "grants unheard of": {"roles": [{"name": "ab", "grants": "some"}]},
    "mfa in words": {"roles": [{"name": "ab", "requires_mfa": "yes"}]},
    "mfa as a number": {"roles": [{"name": "ab", "requires_mfa": 1}]},
    "a permission that is none": {"roles": [{"name": "ab", "permissions": ["ab"]}]},
    "a junior that is none": {"roles": [{"name": "ab", "inherits": ["A b"]}]},
    "juniors as text": {"roles": [{"name": "ab", "inherits": "cc"}]},
    "a rule without a kind": {"constraints": [RULE]},
    "a rule unheard of": {"constraints": [{**RULE, "kind": "never", "limit": 2}]},
    "a rule about nothing": {"constraints": [{"name": "ab", "kind": "max-holders", "roles": [], "limit": 1}]},
    "a rule about one": {"constraints": [{"name": "ab", "kind": "static", "roles": ["aa"], "limit": 2}]},
    "a rule about the same": {"constraints": [{"name": "ab", "kind": "static", "roles": ["aa", "aa"], "limit": 2}]},
    "a rule without a limit": {"constraints": [{**RULE, "kind": "dynamic"}]},
    "a crowd without a limit": {"constraints": [{**RULE, "kind": "max-holders", "limit": None}]},
    "a limit of one": {"constraints": [{**RULE, "kind": "static", "limit": 1}]},
    "a limit of zero": {"constraints": [{**RULE, "kind": "max-holders", "limit": 0}]},
    "a limit that is true": {"constraints": [{**RULE, "kind": "max-holders", "limit": True}]},
    "a limit for requires": {"constraints": [{**RULE, "kind": "requires", "limit": 2}]},
    "nobody's": {"assignments": [{"role": "ab"}]},
    "an empty user": {"assignments": [{"user": "", "role": "ab"}]},
    "two holders": {"assignments": [{**HELD, "service_account": "robot"}]},
    "an empty program": {"assignments": [{"service_account": "", "role": "ab"}]},
    "no role": {"assignments": [{"user": "dave"}]},
    "a mode unheard of": {"assignments": [{**HELD, "mode": "passive"}]},
    "a program that activates": {"assignments": [{"service_account": "robot", "role": "ab", "mode": "eligible"}]},
    "a duration without eligible": {"assignments": [{**HELD, "max_duration": 60}]},
    "a duration too short": {"assignments": [{**HELD, "mode": "eligible", "max_duration": 59}]},
    "a duration too long": {"assignments": [{**HELD, "mode": "eligible", "max_duration": 86401}]},
    "a duration as text": {"assignments": [{**HELD, "mode": "eligible", "max_duration": "60"}]},
    "a moment as a number": {"assignments": [{**HELD, "expires_at": 2030}]},
}  # fmt: skip
READER_ALONE: dict[str, Any] = {
    "an end before its beginning": {
        "assignments": [{**HELD, "starts_at": "2030-01-02T00:00:00Z", "expires_at": "2030-01-01T00:00:00Z"}]
    },
    "a day that is none": {"assignments": [{**HELD, "expires_at": "2030-02-30T00:00:00Z"}]},
    "a moment without a zone": {"assignments": [{**HELD, "expires_at": "2030-02-03T00:00:00"}]},
    "the edge of time": {"assignments": [{**HELD, "expires_at": "0001-01-01T00:00:00+23:59"}]},
    "a limit above the roles": {"constraints": [{**RULE, "kind": "static", "limit": 3}]},
    "the same holder in another spelling": {"assignments": [HELD, {"user": "DAVE", "role": "ab"}]},
    "two homes of a role": {"roles": [{"name": "ab@acme", "home": "acme.eu"}]},
    "two homes of a rule": {"constraints": [{**RULE, "name": "ab@acme", "home": "root", "kind": "requires"}]},
    "a name that its home makes too long": {"roles": [{"name": "a" * 120, "home": "acme.eu.shop"}]},
    "the same role with its home apart": {"roles": [{"name": "ab@acme"}, {"name": "ab", "home": "acme"}]},
    "a circle": {"roles": [{"name": "aa", "inherits": ["aa"]}]},
    "a name of spaces": {"users": [{"username": "  "}]},
}


def taken(raw: Any) -> bool:
    try:
        read_document(raw)
    except DocumentRefused:
        return False
    return True


@pytest.mark.parametrize("name", GOOD)
def test_what_is_good_both_take(name: str) -> None:
    SCHEMA.validate(GOOD[name])
    assert taken(GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_what_is_bad_both_refuse(name: str) -> None:
    assert not SCHEMA.is_valid(BAD[name])
    assert not taken(BAD[name])


@pytest.mark.parametrize("name", READER_ALONE)
def test_what_a_schema_cannot_say_the_reader_still_refuses(name: str) -> None:
    assert not taken(READER_ALONE[name])


@pytest.mark.parametrize("name", ["system.yaml", "example_company.yaml"])
def test_the_seed_files_fit_the_published_schema(name: str) -> None:
    SCHEMA.validate(yaml.safe_load((SEEDS / name).read_text(encoding="utf-8")))


def test_a_home_that_is_stated_apart_becomes_part_of_the_name() -> None:
    found = read_document(GOOD["homes"])
    assert [role["name"] for role in found.roles] == ["ab", "ab@acme", "cc", "d@acme"]
    assert [(rule["name"], "home" in rule) for rule in found.constraints] == [("r@acme", False)]


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 90_000), st.sampled_from(["", "ab", "a:b", "static", "eligible", "2030-01-01T00:00:00Z"]),
    st.lists(st.sampled_from(["ab", "cc", "a:b", ""]), max_size=3, unique=True),
)  # fmt: skip
SECTION = st.sampled_from([name for name in FORMS if name != "users"])


@given(st.data())
def test_they_agree_on_any_one_entry(data: st.DataObject) -> None:
    section = data.draw(SECTION)
    entry: dict[str, Any] = data.draw(
        st.dictionaries(st.sampled_from([*FORMS[section], "other"]), SCALARS, max_size=6)
    )
    starts, ends = entry.get("starts_at"), entry.get("expires_at")
    beyond = isinstance(entry.get("limit"), int) and isinstance(entry.get("roles"), list)
    if (starts and ends) or (beyond and entry["limit"] > len(entry["roles"])) or entry.get("inherits"):
        return  # what a schema cannot say
    times = [value for value in (starts, ends) if isinstance(value, str) and value[:1] != "2"]
    assert times or SCHEMA.is_valid({section: [entry]}) == taken({section: [entry]}), entry


def test_faults_have_pointers_that_are_escaped() -> None:
    with pytest.raises(DocumentRefused) as refusal:
        read_document(
            {"a/b~c": [], "roles": [{"name": "ab"}, {"name": "A b"}, {"name": "c", "inherits": ["d", "e f"]}]}
        )

    assert [fault.pointer for fault in refusal.value.places] == [
        "/a~1b~0c",
        "/roles/1/name",
        "/roles/2/inherits/1",
    ]


CODES: dict[str, list[dict[str, Any]]] = {
    "field.unknown": [{"x": []}, {"roles": [{"name": "ab", "must come after": 1}]}],
    "field.required": [
        {"roles": [{}]},
        {"assignments": [{"user": "", "role": "ab"}]},
        {"constraints": [{**RULE, "kind": "max-holders"}]},
    ],
    "field.together": [
        {"roles": [{"name": "ab"}, {"name": "AB"}]},
        {"roles": [{"name": "ab"}, {"name": "ab"}]},
        {"roles": [{"name": "ab", "inherits": ["ab"]}]},
        {"assignments": [{"role": "ab"}]},
        {"assignments": [{**HELD, "service_account": "till"}]},
        {
            "assignments": [
                {**HELD, "starts_at": "2031-01-01T00:00:00Z", "expires_at": "2030-01-01T00:00:00Z"}
            ]
        },
        {"assignments": [{**HELD, "max_duration": 60}]},
        {"assignments": [{"service_account": "till", "role": "ab", "mode": "eligible"}]},
        {"constraints": [{**RULE, "kind": "static", "limit": 3}]},
        {"constraints": [{**RULE, "kind": "requires", "limit": 1}]},
        {"constraints": [{**RULE, "kind": "requires", "roles": ["aa"]}]},
        {"constraints": [{**RULE, "kind": "requires", "roles": ["aa", "aa"]}]},
    ],
    # what is in quotation marks is the writer's, and must not be taken for words of ours
    "field.invalid": [
        {"roles": 1},
        {"roles": [1]},
        {"roles": [{"name": "it comes 3 times"}]},
        {"permissions": [{"name": "must come after", "description": "x"}]},
    ],
}


@pytest.mark.parametrize(("code", "raw"), [(code, raw) for code, raws in CODES.items() for raw in raws])
def test_a_fault_carries_its_code_whatever_its_words(code: str, raw: dict[str, Any]) -> None:
    with pytest.raises(DocumentRefused) as refusal:
        read_document(raw)

    assert [fault.code for fault in refusal.value.places] == [code]


def test_a_moment_is_read_in_utc() -> None:
    assert moment_of(None) is None
    assert str(moment_of("2030-01-01T02:00:00.5+02:00")) == "2030-01-01 00:00:00.500000+00:00"
