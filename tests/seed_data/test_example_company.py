"""The seed files are sound before any database sees them."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "seed_data"
FIELDS = {
    "domains": ({"name", "title", "description"}, set()),
    "permissions": ({"name", "description"}, set()),
    "roles": ({"name", "description"}, {"grants", "permissions", "inherits"}),
    "constraints": ({"name", "kind", "roles"}, {"limit"}),
    "users": ({"username", "display_name", "email"}, {"home"}),
    "assignments": (
        {"user", "role", "reason"},
        {"domain", "starts_at", "expires_at", "mode", "max_duration"},
    ),
}
NUMBERS = {"limit", "max_duration"}
MOMENT = re.compile(r"20\d\d-\d\d-\d\dT\d\d:00:00Z")
ROLE = re.compile(r"[a-z][a-z0-9-]{1,62}")
PERMISSION = re.compile(r"[a-z][a-z0-9-]*:[a-z][a-z0-9-]*")
USERNAME = re.compile(r"[a-z0-9._-]+")
RESERVED_DOMAIN = re.compile(r".+@([a-z0-9-]+\.)+example|.+@(.+\.)?example\.(com|org|net)")
OWN = {
    "users": ["read", "create", "update", "delete", "erase", "reset-password"],
    "sessions": ["read", "revoke"],
    "roles": ["read", "create", "update", "delete"],
    "permissions": ["read", "create", "delete"],
    "assignments": ["create", "revoke"],
    "audit": ["read"],
    "rbac": ["escalate"],
    "service-accounts": ["read", "create", "update", "delete"],
    "tokens": ["introspect"],
    "keys": ["read", "rotate"],
    "constraints": ["read", "create", "delete"],
    "policy": ["read", "plan", "apply"],
    "access": ["evaluate"],
    "domains": ["read", "create", "update", "delete"],
}
OWN_PERMISSIONS = {f"{resource}:{verb}" for resource, verbs in OWN.items() for verb in verbs}
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn"}

Document = dict[str, list[dict[str, Any]]]


def load(name: str) -> Document:
    document: Document = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return document


SYSTEM = load("system.yaml")
COMPANY = load("example_company.yaml")
BOTH = pytest.mark.parametrize("document", [SYSTEM, COMPANY], ids=["system", "company"])


def names(document: Document, kind: str) -> list[str]:
    return [entry["username" if kind == "users" else "name"] for entry in document.get(kind, [])]


def closure_of(role: str) -> set[str]:
    """The role and all that it inherits from."""
    entry = next((entry for entry in COMPANY["roles"] if entry["name"] == role), {})
    return {role}.union(*(closure_of(junior) for junior in entry.get("inherits", [])))


def permissions_of(role: str) -> set[str]:
    """What a role of the company permits, through all that it inherits from."""
    entry = next(entry for entry in COMPANY["roles"] if entry["name"] == role)
    inherited = (permissions_of(junior) for junior in entry.get("inherits", []))
    return set(entry.get("permissions", [])).union(*inherited)


def roles_held() -> Mapping[str, set[str]]:
    """What everybody has, also what they could activate and what will end."""
    held: dict[str, set[str]] = {name: set() for name in names(COMPANY, "users")}
    for assignment in COMPANY["assignments"]:
        held[assignment["user"]].add(assignment["role"])
    return held


def texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        value = [*value, *(entry for field, entry in value.items() if field not in NUMBERS)]
    if isinstance(value, list):
        for item in value:
            yield from texts(item)
    else:
        assert isinstance(value, str), f"{value!r} was meant as text; quote it"
        yield value


@BOTH
def test_every_entry_has_the_fields_of_the_seed_form_and_no_other(document: Document) -> None:
    assert set(document) <= set(FIELDS)
    for kind, entries in document.items():
        needed, optional = FIELDS[kind]
        for entry in entries:
            assert needed <= set(entry) <= needed | optional, entry


@BOTH
def test_all_text_is_filled_in_and_normalised(document: Document) -> None:
    for text in texts(document):
        assert text == text.strip() != ""
        assert unicodedata.is_normalized("NFC", text)
        assert not any(unicodedata.category(character) in UNSEEN for character in text)


@BOTH
def test_no_field_is_a_password_or_another_secret(document: Document) -> None:
    fields = {field for entries in document.values() for entry in entries for field in entry}
    assert not [field for field in fields if re.search("password|secret|token|hash|key", field)]


@pytest.mark.parametrize(
    ("kind", "pattern"), [("permissions", PERMISSION), ("roles", ROLE), ("users", USERNAME)], ids=str
)
def test_names_fit_their_pattern_and_are_given_once(kind: str, pattern: re.Pattern[str]) -> None:
    everything = names(SYSTEM, kind) + names(COMPANY, kind)
    assert [name for name in everything if not pattern.fullmatch(name)] == []
    assert [name for name, times in Counter(everything).items() if times > 1] == []


def test_the_system_file_names_this_services_permissions_and_two_roles() -> None:
    assert set(names(SYSTEM, "permissions")) == OWN_PERMISSIONS
    assert {role["name"]: role["grants"] for role in SYSTEM["roles"]} == {"admin": "all", "auditor": "reads"}
    assert not SYSTEM.get("users")
    assert not SYSTEM.get("assignments")


@BOTH
def test_every_description_is_one_sentence_or_two(document: Document) -> None:
    sentence = re.compile(r"[A-Z][^.]+\.")
    for entry in document["permissions"]:
        assert sentence.fullmatch(entry["description"]), entry
    for entry in document["roles"]:
        assert re.fullmatch(rf"{sentence.pattern}( {sentence.pattern})?", entry["description"]), entry


def test_the_company_has_about_200_people_in_26_roles() -> None:
    assert 190 <= len(COMPANY["users"]) <= 210
    assert len(COMPANY["roles"]) == 26
    assert 40 <= len(COMPANY["permissions"]) <= 50
    assert 240 <= len(COMPANY["assignments"]) <= 280


def test_it_is_a_group_whose_people_are_administered_where_they_are_at_home() -> None:
    domains = set(names(COMPANY, "domains"))
    homes = Counter(user["home"] for user in COMPANY["users"] if "home" in user)
    assert set(homes) == domains == {"sweden", "lithuania", "service-centre"}
    assert min(homes.values()) > 10
    given = {one["domain"]: one["user"] for one in COMPANY["assignments"] if "domain" in one}
    home_of = {user["username"]: user.get("home") for user in COMPANY["users"]}
    assert {domain: home_of[user] for domain, user in given.items()} == {domain: domain for domain in domains}


def test_mail_can_reach_nobody() -> None:
    addresses = [user["email"] for user in COMPANY["users"]]
    assert [address for address in addresses if not RESERVED_DOMAIN.fullmatch(address)] == []
    assert len(set(addresses)) == len(addresses)


def test_names_are_not_all_ascii() -> None:
    assert sum(not user["display_name"].isascii() for user in COMPANY["users"]) >= 40


def test_roles_refer_to_permissions_and_roles_that_exist() -> None:
    permissions = set(names(SYSTEM, "permissions") + names(COMPANY, "permissions"))
    roles = set(names(COMPANY, "roles"))
    for role in COMPANY["roles"]:
        for field, known in (("permissions", permissions), ("inherits", roles)):
            listed = role.get(field, [])
            assert set(listed) <= known, role["name"]
            assert len(set(listed)) == len(listed), role["name"]


def test_inheritance_has_no_cycle() -> None:
    graph = {role["name"]: role.get("inherits", []) for role in COMPANY["roles"]}
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("employee") < order.index("accountant") < order.index("finance-manager")


def test_no_role_repeats_what_it_inherits() -> None:
    for role in COMPANY["roles"]:
        inherited = set[str]().union(*map(permissions_of, role.get("inherits", [])))
        assert not inherited & set(role.get("permissions", [])), role["name"]


def test_every_permission_is_in_a_role_and_every_role_is_held() -> None:
    used = set[str]().union(*map(permissions_of, names(COMPANY, "roles")))
    assert set(names(COMPANY, "permissions")) <= used
    assert set(names(COMPANY, "roles")) <= {assignment["role"] for assignment in COMPANY["assignments"]}


def test_assignments_refer_to_people_and_roles_that_exist_and_come_once() -> None:
    roles = set(names(SYSTEM, "roles") + names(COMPANY, "roles"))
    pairs = [(assignment["user"], assignment["role"]) for assignment in COMPANY["assignments"]]
    assert {user for user, _ in pairs} == set(names(COMPANY, "users"))
    assert {role for _, role in pairs} <= roles
    assert len(set(pairs)) == len(pairs)


def test_nobody_is_an_admin_and_somebody_is_an_auditor() -> None:
    held = {assignment["role"] for assignment in COMPANY["assignments"]}
    assert "admin" not in held
    assert "auditor" in held


def test_only_three_roles_carry_permissions_of_this_service() -> None:
    carried = {role: permissions_of(role) & OWN_PERMISSIONS for role in names(COMPANY, "roles")}
    assert {role: own for role, own in carried.items() if own} == {
        "helpdesk": {"users:read", "users:reset-password", "sessions:read", "sessions:revoke"},
        "people-admin": {"users:read", "users:create", "users:update", "roles:read", "assignments:create", "assignments:revoke"},
        "role-manager": {
            "roles:read", "permissions:read", "users:read", "assignments:create", "assignments:revoke"
        },
    }  # fmt: skip


def test_a_role_manager_can_hand_out_the_roles_that_only_read() -> None:
    held = permissions_of("role-manager")
    within_reach = {role for role in names(COMPANY, "roles") if permissions_of(role) <= held}
    assert within_reach == {"employee", "controller", "warehouse-operator", "role-manager"}


@pytest.mark.parametrize(
    "duties",
    [
        {"payments:prepare", "payments:release"},
        {"invoices:approve", "payments:release"},
        {"employees:update", "payroll:run"},
        {"users:reset-password", "payments:release"},
    ],
    ids=lambda duties: " + ".join(sorted(duties)),
)
def test_nobody_holds_two_duties_that_must_stay_apart(duties: set[str]) -> None:
    for person, roles in roles_held().items():
        held = set[str]().union(*map(permissions_of, roles - {"auditor"}))
        assert not duties <= held, person


def test_one_rule_is_static_and_one_is_dynamic() -> None:
    assert [rule["kind"] for rule in COMPANY["constraints"]] == ["static", "dynamic"]
    for rule in COMPANY["constraints"]:
        assert set(rule["roles"]) <= set(names(COMPANY, "roles"))
        assert 2 <= rule["limit"] <= len(rule["roles"])


def test_nobody_breaks_the_static_rule_and_somebody_is_bound_by_the_dynamic_one() -> None:
    held = {person: set[str]().union(*map(closure_of, roles)) for person, roles in roles_held().items()}
    reaching = {
        rule["name"]: {person for person in held if len(held[person] & set(rule["roles"])) >= rule["limit"]}
        for rule in COMPANY["constraints"]
    }
    assert reaching == {"prepare-or-release": set(), "order-or-receive": {"gro.nygard"}}


def test_some_roles_are_to_be_activated_and_some_end() -> None:
    eligible = [entry for entry in COMPANY["assignments"] if entry.get("mode") == "eligible"]
    ending = [entry for entry in COMPANY["assignments"] if "expires_at" in entry]
    assert len(eligible) >= 5
    assert len(ending) >= 3
    assert [entry for entry in eligible if not 3600 <= entry["max_duration"] <= 43200] == []
    assert [entry for entry in ending if not MOMENT.fullmatch(entry["expires_at"])] == []


def test_whoever_has_a_role_to_activate_has_another_without_doing_so() -> None:
    at_once = {entry["user"] for entry in COMPANY["assignments"] if entry.get("mode") != "eligible"}
    assert at_once == set(names(COMPANY, "users"))
