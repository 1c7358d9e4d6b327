"""Loading a document: all of it or nothing, once or three times, and every fault is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.capabilities.policy.service import EXAMPLE, Loaded, load_document, read_file
from rbac_api.cli.prepare import operator_unit
from rbac_api.decision.document import Document, DocumentRefused, read_document
from tests.builders import Stage
from tests.cast import ALICE, DAVE

SMALL: dict[str, Any] = {
    "permissions": [{"name": "tea:brew", "description": "Brew tea."}],
    "roles": [
        {"name": "brewer", "description": "Brews.", "permissions": ["tea:brew", "invoices:read"]},
        {"name": "head-brewer", "inherits": ["brewer"], "requires_mfa": True},
    ],
    "users": [{"username": "Erin", "email": "erin@x.example", "display_name": "Erin Ø"}],
    "assignments": [
        {"user": "Erin", "role": "head-brewer", "reason": "Founder"},
        {"user": "dave", "role": "brewer"},
    ],
}
LISTED = "must be a list"
# what somebody may write, and the words that tell her what is wrong with it
FORMS: dict[str, tuple[Any, str]] = {
    "a list": ([], "must be a mapping with the sections"),
    "nothing": (None, "must be a mapping with the sections"),
    "an unknown section": ({"groups": []}, "groups: unknown section"),
    "a section that is text": ({"roles": "all"}, f"roles: {LISTED}"),
    "a section that is a mapping": ({"roles": {}}, f"roles: {LISTED}"),
    "a section that is zero": ({"users": 0}, f"users: {LISTED}"),
    "an entry that is text": ({"users": ["dave"]}, "users[1]: must be a mapping"),
    "a permission without a description": (
        {"permissions": [{"name": "a:b"}]},
        "permissions[1]: description is missing",
    ),
    "an empty name": ({"roles": [{"name": ""}]}, "roles[1]: name is missing"),
    "an unknown key": ({"users": [{"username": "x", "password": "y"}]}, "users[1]: password is unknown"),
    "a name that is a number": ({"roles": [{"name": 7}]}, "roles[1]: name must be text"),
    "a name that is null": ({"roles": [{"name": None}]}, "roles[1]: name is missing"),
    "a permission's form": (
        {"permissions": [{"name": "Brew", "description": "x"}]},
        "permissions[1]: name: 'Brew' is not a permission name. Use two to four parts",
    ),
    "a requirement in words": (
        {"roles": [{"name": "ab", "requires_mfa": "yes"}]},
        "roles[1]: requires_mfa must be true or false",
    ),
    "a role's form": (
        {"roles": [{"name": "Head Brewer"}]},
        "roles[1]: name: 'Head Brewer' is not a role name. Use a letter",
    ),
    "a role too long": ({"roles": [{"name": "a" * 128}]}, "is not a role name"),
    "a permission too long": (
        {"permissions": [{"name": "a:" + "b" * 199, "description": "x"}]},
        "is not a permission name",
    ),
    "a description too long": (
        {"roles": [{"name": "ab", "description": "x" * 1001}]},
        "description is longer than 1000",
    ),
    "a mail address too long": (
        {"users": [{"username": "x", "email": "x" * 321}]},
        "email is longer than 320",
    ),
    "a control character": (
        {"roles": [{"name": "ab", "description": "a\x00b"}]},
        "description has a control, invisible or text-direction character",
    ),
    "a lone surrogate": (
        {"users": [{"username": "x", "display_name": "\ud800"}]},
        "display_name has a control, invisible or text-direction character",
    ),
    "a username of spaces": ({"users": [{"username": "  "}]}, "username: "),
    "grants of one's own": ({"roles": [{"name": "ab", "grants": "most"}]}, "grants must be all or reads"),
    "permissions that are text": (
        {"roles": [{"name": "ab", "permissions": "a:b"}]},
        "permissions must be a list of names",
    ),
    "juniors that are numbers": (
        {"roles": [{"name": "ab", "inherits": [1]}]},
        "inherits must be a list of names",
    ),
    "permissions that are none": (
        {"roles": [{"name": "ab", "permissions": ["a:b", "s3:Get Object"]}]},
        "roles[1]: permissions[2]: 's3:Get Object' is not a permission name. Use two",
    ),
    "juniors that are none": (
        {"roles": [{"name": "ab", "inherits": ["1st"]}]},
        "roles[1]: inherits[1]: '1st' is not a role name. Use a letter",
    ),
    "a constraint's form": (
        {"constraints": [{"name": "a b", "kind": "max-holders", "roles": ["aa"], "limit": 1}]},
        "constraints[1]: name: 'a b' is not a constraint name. Use a letter",
    ),
    "a role of a constraint": (
        {"constraints": [{"name": "ab", "kind": "max-holders", "roles": ["a b"], "limit": 1}]},
        "constraints[1]: roles[1]: 'a b' is not a role name. Use a letter",
    ),
    "a role of an assignment": (
        {"assignments": [{"user": "x", "role": "Head Brewer"}]},
        "assignments[1]: role: 'Head Brewer' is not a role name. Use a letter",
    ),
    "a title of two lines": (
        {"roles": [{"name": "ab", "title": "a\nb"}]},
        "roles[1]: title has a control, invisible or text-direction character",
    ),
    "a title too long": ({"roles": [{"name": "ab", "title": "x" * 201}]}, "title is longer than 200"),
    "a role in two spellings": (
        {"roles": [{"name": "Clerk"}, {"name": "clerk"}]},
        "roles: Clerk and clerk differ by case alone; use one of them",
    ),
    "a permission in two spellings": (
        {"permissions": [{"name": "s3:Get", "description": "x"}, {"name": "S3:get", "description": "x"}]},
        "permissions: S3:get and s3:Get differ by case alone; use one of them",
    ),
    "a role twice": ({"roles": [{"name": "ab"}, {"name": "ab"}]}, "roles: ab comes 2 times"),
    "a person twice": (
        {"users": [{"username": "Erin"}, {"username": "ＥＲＩＮ"}]},
        "users: erin comes 2 times",
    ),
    "an assignment twice": (
        {"assignments": [{"user": "x", "role": "y", "reason": "a"}, {"user": "x", "role": "y"}]},
        "assignments: user x with y comes 2 times",
    ),
    "a circle": (
        {"roles": [{"name": "aa", "inherits": ["bb"]}, {"name": "bb", "inherits": ["aa"]}]},
        "roles: aa, bb inherit themselves",
    ),
    "itself": ({"roles": [{"name": "aa", "inherits": ["aa"]}]}, "roles: aa inherit themselves"),
}
REFERENCES: dict[str, tuple[dict[str, Any], str]] = {
    "a permission": (
        {"roles": [{"name": "ab", "permissions": ["no:such"]}]},
        "role ab: permissions no:such is unknown",
    ),
    "a junior": ({"roles": [{"name": "ab", "inherits": ["none"]}]}, "role ab: inherits none is unknown"),
    "a role": (
        {"assignments": [{"user": "dave", "role": "none"}]},
        "assignment of dave: role none is unknown",
    ),
    "a person": (
        {"assignments": [{"user": "nobody", "role": "admin"}]},
        "assignment of admin: user nobody is unknown",
    ),
    "a grant": (
        {"roles": [{"name": "ab", "grants": "all"}]},
        "role ab: only built-in roles have grants; list its permissions",
    ),
}


def load(stage: Stage, document: Document) -> Loaded:
    with operator_unit(stage.settings, stage.database) as clearance:
        loaded = load_document(clearance, document, "small.yaml")
    stage.guard.snapshot.forget()
    return loaded


def everything(stage: Stage) -> list[object]:
    tables = (
        "users",
        "roles",
        "permissions",
        "role_permissions",
        "role_inheritance",
        "assignments",
        "trail_events",
    )
    return [sorted(map(str, stage.query(f"SELECT * FROM {table}"))) for table in tables]


def test_a_document_is_loaded_and_in_force(stage: Stage) -> None:
    loaded = load(stage, read_document(SMALL))

    assert (loaded.permissions, loaded.roles, loaded.users, loaded.assignments) == (1, 2, 1, 2)
    alice = stage.as_(ALICE)
    assert alice.get("/v1/roles/head-brewer").json["effective_permissions"] == ["invoices:read", "tea:brew"]
    strict = [alice.get(f"/v1/roles/{role}").json["requires_mfa"] for role in ("brewer", "head-brewer")]
    assert strict == [False, True]
    assert [
        role["role"] for role in alice.get(f"/v1/users/{stage.user_id('erin')}/roles").json["effective"]
    ] == [
        "brewer",
        "head-brewer",
    ]
    assert stage.events()[-3]["action"] == "seed.loaded" or "seed.loaded" in {
        e["action"] for e in stage.events()[-6:]
    }


def test_loading_it_three_times_is_loading_it_once(stage: Stage) -> None:
    load(stage, read_document(SMALL))
    before = everything(stage)

    assert [load(stage, read_document(SMALL)).total for _ in range(2)] == [0, 0]

    assert everything(stage) == before


def test_what_is_there_already_is_not_changed_by_it(stage: Stage) -> None:
    other = {
        "permissions": [{"name": "invoices:read", "description": "Something else."}],
        "roles": [
            {"name": "role-manager", "description": "Something else.", "permissions": ["payments:release"]}
        ],
        "users": [{"username": "DAVE", "display_name": "Somebody else"}],
    }
    before = everything(stage)

    assert load(stage, read_document(other)).total == 0

    assert everything(stage) == before


def test_somebody_who_was_deleted_is_not_brought_back(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.delete_now(f"/v1/users/{stage.user_id(DAVE)}")

    for users in ([{"username": "dave"}], []):
        document = {"users": users, "assignments": [{"user": "dave", "role": "role-manager"}]}
        assert load(stage, read_document(document)).total == 0


def test_of_263_faults_a_hundred_have_a_line_and_the_rest_a_number() -> None:
    entries = [{"name": f"role {number}"} for number in range(263)]

    with pytest.raises(DocumentRefused) as refusal:
        read_document({"roles": entries})

    lines = refusal.value.detail.splitlines()
    assert (len(lines), lines[-1], len(refusal.value.places)) == (102, "  - and 163 more", 263)


@pytest.mark.parametrize("form", FORMS)
def test_a_fault_in_its_form_is_named(form: str) -> None:
    raw, words = FORMS[form]

    with pytest.raises(DocumentRefused) as refusal:
        read_document(raw)

    assert any(words in fault for fault in refusal.value.faults), refusal.value.faults


def test_every_fault_is_named_at_once() -> None:
    raw: dict[str, Any] = {
        "groups": 1, "permissions": [{"name": 1, "description": 2}, 3], "roles": [{"name": "A b", "permissions": 1, "inherits": 2}],
        "users": [{"email": 5, "shoe": 6}], "assignments": [{"reason": []}],
    }  # fmt: skip

    with pytest.raises(DocumentRefused) as refusal:
        read_document(raw)

    assert len(refusal.value.faults) == len(set(refusal.value.faults)) >= 13
    assert all(fault in refusal.value.detail for fault in refusal.value.faults)


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_name_that_is_nobodys_is_named_and_nothing_is_loaded(stage: Stage, reference: str) -> None:
    raw, words = REFERENCES[reference]
    before = everything(stage)

    with pytest.raises(DocumentRefused) as refusal:
        load(
            stage,
            read_document({**SMALL, **{key: [*SMALL.get(key, []), *value] for key, value in raw.items()}}),
        )

    assert refusal.value.faults == [words]
    assert everything(stage) == before


def test_a_document_that_fails_at_its_last_entry_leaves_nothing(stage: Stage) -> None:
    before = everything(stage)
    document = read_document(SMALL)
    steps = iter(range(5))

    with pytest.raises(StopIteration), operator_unit(stage.settings, stage.database) as clearance:
        load_document(clearance, document, "small.yaml", lambda: next(steps))

    assert everything(stage) == before


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"users: [{username: \xe6}]")
    (tmp_path / "broken.yaml").write_text("users: [")
    (tmp_path / "code.yaml").write_text("users: !!python/object/apply:os.system ['true']")

    for name, words in (
        ("none.yaml", "cannot be read: No such file or directory"),
        ("latin.yaml", "cannot be read: line 1 is not UTF-8"),
        ("broken.yaml", "is not YAML"),
    ):
        with pytest.raises(DocumentRefused, match=words):
            read_file(tmp_path / name)
    with pytest.raises(DocumentRefused, match="is not YAML"):
        read_file(tmp_path / "code.yaml")


def test_the_example_company_moves_in_once(stage: Stage) -> None:
    document = read_file(EXAMPLE)

    first = load(stage, document)
    before = everything(stage)
    again = [load(stage, document).total for _ in range(2)]

    assert (first.users, first.roles) == (200, 25)  # role-manager is somebody else's here
    assert again == [0, 0]
    assert everything(stage) == before
    administrators = [
        row[0] for row in stage.query("SELECT count(*) FROM users WHERE password_hash IS NOT NULL")
    ]
    assert administrators == [5], "none of the company can sign in yet"


RULED: dict[str, Any] = {
    **SMALL,
    "constraints": [{"name": "apart", "kind": "static", "roles": ["brewer", "role-manager"], "limit": 2}],
    "assignments": [
        {"user": "Erin", "role": "head-brewer", "expires_at": "2040-01-01T00:00:00Z", "mode": "eligible", "max_duration": 60},
        {"user": "dave", "role": "brewer", "expires_at": "2001-01-01T00:00:00Z"},
    ],
}  # fmt: skip


def test_rules_and_terms_are_loaded_and_what_is_over_is_left_out_with_a_note(stage: Stage) -> None:
    loaded = load(stage, read_document(RULED))

    assert (loaded.constraints, loaded.assignments) == (1, 1)
    assert loaded.notes == ["dave with brewer was over at 2001-01-01T00:00:00Z: left out"]
    assert load(stage, read_document(RULED)).total == 0
    (held,) = stage.as_(ALICE).get(f"/v1/users/{stage.user_id('erin')}/roles").json["direct"]
    assert (held["mode"], held["max_duration"], held["expires_at"]) == (
        "eligible",
        60,
        "2040-01-01T00:00:00Z",
    )


def test_a_document_that_breaks_its_own_rule_is_not_loaded(stage: Stage) -> None:
    held = [*RULED["assignments"], {"user": "Erin", "role": "role-manager"}]
    before = everything(stage)

    with pytest.raises(ConstraintViolated):
        load(stage, read_document({**RULED, "assignments": held}))

    assert everything(stage) == before


def test_a_rule_about_nobody_s_role_is_named(stage: Stage) -> None:
    rule = {"name": "apart", "kind": "static", "roles": ["aa", "bb"], "limit": 2}

    with pytest.raises(DocumentRefused, match="constraint apart: role aa is unknown"):
        load(stage, read_document({"constraints": [rule]}))
