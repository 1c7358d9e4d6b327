"""Deciding at a domain by a token alone: the service's answer, or that only the service knows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.assignments.terms import Terms
from rbac_api.capabilities.domains.service import create_domain
from rbac_api.cli.prepare import operator_unit
from rbac_api.decision import domains
from rbac_api.decision.domains import at_domain, holds_below, loses_below
from rbac_api.decision.evaluate import carried_roles, claimed_roles, decide, effective_roles, holding
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Subject
from rbac_api.decision.naming import DOMAIN
from rbac_api.guard.tokens.jwt import _optional_fit
from rbac_verifier import Identity, Refused, Verifier, identity, names
from rbac_verifier.asgi import AsgiVerifier
from rbac_verifier.roles import Roles
from tests.builders import Caller
from tests.cast import DAVE, PASSWORD
from tests.guard.forgery import Model
from tests.patience import eventually
from tests.sizes import sized
from tests.verifier.conftest import Field
from tests.verifier.deciding import APPROVE, READ
from tests.verifier.test_asgi import Client
from tests.verifier.test_offline_equals_online import (
    LIFETIME,
    NAMES,
    NOW,
    STARTS,
    document_of,
    graph_of,
    subject_of,
)

PLACES = ("root", "acme", "acme.eu", "acme.eu.shop", "acme2", "globex")
ENDS = [*STARTS, 86_400 * 2]
GRAPHS, USERS = 40, sized(5, 100)


def placed(random: Random) -> Subject:
    """A subject as there is in the comparison at ``root``, with its assignments and its session at domains."""
    bare = subject_of(random)
    held = [replace(one, domain=random.choice(PLACES)) for one in bare.assignments]
    acting = random.choice(("root", "root", *PLACES))
    return holding(replace(bare, roles=replace(bare.roles, domain=acting)), held)


def token_of(graph: RoleGraph, subject: Subject) -> tuple[Identity, Any]:
    """What the service would put into a token, as a verifier reads it, and the end of its time."""
    effective, ends = carried_roles(graph, at_domain(subject, subject.roles.domain), NOW, NOW + LIFETIME)
    flags = {"domains_held": holds_below(subject), "domains_differ": loses_below(graph, subject)}
    found = Identity(
        "u", "s", "c", frozenset(claimed_roles(effective)), {}, domain=subject.roles.domain, **flags
    )
    return found, ends.replace(microsecond=0)


def offline(caller: Identity, document: Roles, permission: str, domain: str) -> bool | None:
    """Yes, no, or None where the service has to be asked."""
    try:
        there = identity.inside(caller, domain, {})
        named = document.permit(caller.roles, permission)
        return identity.settles(caller, there, named=named, needed={}) or None
    except Refused:
        return False


def run(users: int, seeds: range) -> Counter[str]:
    """How often each pair of answers was found, offline and online."""
    found: Counter[str] = Counter()
    for seed in seeds:
        random = Random(seed)
        graph = graph_of(random)
        document = document_of(graph)
        for _ in range(users):
            compare(found, graph, document, placed(random))
    return found


def compare(found: Counter[str], graph: RoleGraph, document: Roles, subject: Subject) -> None:
    caller, ends = token_of(graph, subject)
    second = NOW.replace(microsecond=0) + timedelta(seconds=1)
    turns = [turn for turn in (NOW + timedelta(seconds=each) for each in STARTS) if second <= turn < ends]
    for domain in PLACES:
        there = at_domain(subject, domain)
        carried = {role.role for role in carried_roles(graph, there, NOW, ends)[0]}
        for at in (NOW, *turns):
            begun = bool({role.role for role in effective_roles(graph, there, at)} - carried)
            for permission in NAMES[:-1]:
                said = offline(caller, document, permission, domain)
                online = decide(graph, there, permission, at).allowed
                late = begun and said is False and online  # with the next token, as at ``root``
                found["late" if late else f"{said} {online}"] += 1


@pytest.mark.soak
def test_offline_and_online_never_differ_at_any_domain() -> None:
    found = run(USERS, range(GRAPHS))
    assert (found["True False"], found["False True"]) == (0, 0)
    assert min(found["True True"], found["None True"], found["None False"]) > 100
    assert found["late"] < found.total() // 20


TWINS: dict[str, tuple[object, str, Callable[..., object]]] = {
    "a session's token counts everywhere": (identity, "is_in", lambda _domain, _other: True),
    "a token does not say that more counts below": (domains, "places_of", lambda _subject: frozenset()),
    "a token does not say that less counts below": (
        domains, "loses_below", lambda _graph, _subject: False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
def test_a_difference_would_be_found_if(name: str) -> None:
    owner, attribute, twin = TWINS[name]
    with patch.object(owner, attribute, twin), patch(f"{__name__}.loses_below", domains.loses_below):
        found = run(12, range(80))
    assert found["True False"] + found["False True"] > 0


@pytest.mark.parametrize(
    "name",
    ["root", "acme", "acme.eu", "Acme", "root.acme", "rooty.acme", "a.b.c.d.e.f.g.h", "a.b.c.d.e.f.g.h.i", "", ".", "a\n",
     "x" * 63, "x" * 64, ".".join(["x" * 63] * 4), ".".join(["x" * 63] * 4) + "y", "-a", "a-", "a_b", None, 7],
)  # fmt: skip
def test_what_is_a_domain_here_is_one_there(name: Any) -> None:
    assert names.is_domain(name) == (isinstance(name, str) and DOMAIN.problem(name) is None)


# -- with the service ----------------------------------------------------------------------------------------


@pytest.fixture
def dave(field: Field, alice: Caller) -> Callable[..., str]:
    """Dave is a clerk at ``root`` and an approver at ``acme``; returns his token for a domain."""
    alice.post("/v1/roles", json={"name": "approver", "permissions": [APPROVE]})
    with operator_unit(field.stage.settings, field.stage.database) as clearance:
        for domain in ("acme", "acme.eu", "globex"):
            create_domain(clearance, {"name": domain})
        assign_role(clearance, field.stage.user_id(DAVE), "approver", Terms(domain="acme"))

    def token(domain: str = "root") -> str:
        body = {"username": DAVE.username, "password": PASSWORD, "domain": domain}
        return str(field.stage.caller().post("/v1/auth/login", json=body).json["access_token"])

    return token


def code(verifier: Verifier, token: str, domain: Any, **asked: str) -> str:
    try:
        verifier.identify(
            {"Authorization": f"Bearer {token}"}, domain=domain, **(asked or {"permission": APPROVE})
        )
    except Refused as refused:
        return refused.code
    return "ok"


def test_a_token_of_a_domain_passes_there_and_below(field: Field, dave: Callable[..., str]) -> None:
    verifier, token = field.verifier(), dave("acme")
    for domain in ("acme", "acme.eu"):
        for asked in ({"permission": APPROVE}, {"permission": READ}, {"role": "approver"}):
            assert code(verifier, token, domain, **asked) == "ok"
        assert code(verifier, token, domain, role="admin") == "access.denied"
    for domain in ("root", "globex", "acme2", "Acme", "", None, 7):
        for asked in ({"permission": READ}, {"role": "approver"}):
            assert code(verifier, token, domain, **asked) == "access.denied"
    with pytest.raises(Refused) as refused:
        verifier.identify({"Authorization": f"Bearer {token}"}, permission=READ, domain="globex")
    assert "acts at acme and below only" in refused.value.detail
    assert refused.value.members == {"required": READ, "domain": "globex"}


def test_a_token_at_root_passes_everywhere_with_its_roles_and_does_not_know_the_rest(
    field: Field, dave: Callable[..., str]
) -> None:
    verifier, token = field.verifier(), dave()
    for domain in ("root", "acme", "globex"):
        assert code(verifier, token, domain, permission=READ) == "ok"
    assert [code(verifier, token, domain) for domain in ("root", "acme", "globex")] == [
        "access.denied", "roles.incomplete", "roles.incomplete",
    ]  # fmt: skip
    assert code(verifier, token, "acme", role="approver") == "roles.incomplete"
    with pytest.raises(Refused) as refused:
        verifier.identify({"Authorization": f"Bearer {token}"}, permission=APPROVE, domain="acme")
    said = json.loads(verifier.answer_to(refused.value).body)
    assert (said["status"], said["required"], said["domain"]) == (403, APPROVE, "acme")
    assert "what you may do at acme" in said["detail"]


@pytest.fixture
def client(alice: Caller) -> tuple[str, str]:
    """A service account that may ask for decisions."""
    account = alice.post("/v1/service-accounts", json={"name": "orders"}).json
    alice.post("/v1/roles", json={"name": "decider", "permissions": ["access:evaluate"]})
    alice.put(f"/v1/service-accounts/{account['id']}/roles/decider")
    secret = alice.post(f"/v1/service-accounts/{account['id']}/secrets").json["client_secret"]
    return account["client_id"], secret


def test_with_a_service_account_it_asks_at_the_domain(
    field: Field, dave: Callable[..., str], client: tuple[str, str]
) -> None:
    verifier, token = field.verifier(client=client), dave()
    answers = [code(verifier, token, domain) for domain in ("acme", "acme.eu", "globex", "ghost")]
    assert answers == ["ok", "ok", "access.denied", "access.denied"]
    assert field.line.asked.count("/access/v1/evaluation") == 4


def test_a_yes_is_not_known_where_a_dynamic_constraint_may_take_roles_away(
    field: Field, alice: Caller, dave: Callable[..., str], client: tuple[str, str]
) -> None:
    rule = {"name": "apart", "kind": "dynamic", "roles": ["clerk", "approver"], "limit": 2}
    assert alice.post("/v1/constraints", json=rule).status_code == 201
    alone, asking, token = field.verifier(), field.verifier(client=client), dave()
    for domain, known, said in (
        ("root", "ok", "ok"),
        ("acme", "roles.incomplete", "access.denied"),
        ("globex", "roles.incomplete", "ok"),
    ):
        assert code(alone, token, domain, permission=READ) == known
        assert code(asking, token, domain, permission=READ) == said
    assert code(alone, token, "acme", role="clerk") == "roles.incomplete"
    assert code(alone, dave("acme"), "acme", permission=READ) == "access.denied"


@pytest.mark.parametrize("change", ["assigned", "revoked"])
def test_what_changes_at_a_domain_makes_older_tokens_out_of_date(
    field: Field, alice: Caller, dave: Callable[..., str], change: str
) -> None:
    verifier, token, path = field.verifier(), dave("acme"), f"/v1/users/{field.stage.user_id(DAVE)}/roles"
    assert code(verifier, token, "acme") == "ok"
    if change == "assigned":
        assert alice.put(f"{path}/approver", json={"domain": "globex"}).status_code == 201
    else:
        assert alice.delete(f"{path}/approver?domain=acme").status_code == 204
    assert eventually(lambda: code(verifier, token, "acme") == "token.revoked")


def test_decorators_take_the_domain_from_the_views_arguments(field: Field, dave: Callable[..., str]) -> None:
    app, verifier = Flask("invoices"), field.verifier()

    @app.get("/<customer>")
    @verifier.requires(APPROVE, domain="customer")
    def approve(customer: str) -> str:
        return customer

    @app.get("/<customer>/role")
    @verifier.requires_role("approver", domain=lambda customer: f"{customer}.eu")
    def role(customer: str) -> str:
        return customer

    headers, client = {"Authorization": f"Bearer {dave('acme')}"}, app.test_client()
    answers = [
        client.get(path, headers=headers).status_code
        for path in ("/acme", "/globex", "/acme/role", "/a/role")
    ]
    assert answers == [200, 403, 200, 403]
    with pytest.raises(ValueError, match="no argument 'tenant'"):
        verifier.requires(READ, domain="tenant")(approve)
    assert verifier.requires(READ, domain="tenant")(lambda **_every: None)


def test_dependencies_take_the_domain_from_the_path(field: Field, dave: Callable[..., str]) -> None:
    verifier = field.make(AsgiVerifier)
    by_path = verifier.requires(APPROVE, domain="customer")
    by_function = verifier.requires_role(
        "approver", domain=lambda asked: asked.path_params["customer"] + ".eu"
    )

    def route(path: str, dependency: Any) -> Route:
        async def view(request: Request) -> JSONResponse:
            return JSONResponse((await dependency(request)).domain)

        return Route(path, view)

    app = Starlette(
        routes=[
            route("/{customer}", by_path),
            route("/{customer}/role", by_function),
            route("/x/{a}/b", by_path),
        ]
    )
    verifier.register(app)
    headers = {"Authorization": f"Bearer {dave('acme')}"}
    answers = [
        Client(app).get(path, headers) for path in ("/acme", "/globex", "/acme/role", "/a/role", "/x/acme/b")
    ]
    assert [answer.status_code for answer in answers] == [200, 403, 200, 403, 403]
    assert answers[0].json() == "acme"


@pytest.mark.parametrize(
    "claims",
    [{"domain": "Acme"}, {"domain": ""}, {"domain": 7}, {"domain": None}, {"domain": ["acme"]}, {"domains_held": False},
     {"domains_held": 1}, {"domains_differ": "true"}, {"domains_differ": None}],
)  # fmt: skip
def test_claims_of_another_form_are_no_token_of_ours(
    field: Field, dave: Callable[..., str], claims: dict[str, Any]
) -> None:
    text = Model(dave("acme"), field.stage.guard.keyring.active()).with_claims(**claims)
    caller = field.stage.caller()
    caller.tokens = {"access_token": text}
    assert caller.get("/v1/me").json["code"] == "token.invalid"
    assert code(field.verifier(), text, "acme") == "token.invalid"


def test_no_token_of_ours_says_root() -> None:
    assert not _optional_fit({"type": "access", "domain": "root"})
    assert not _optional_fit({"type": "refresh", "domain": "acme"})
    assert _optional_fit({"type": "access", "domain": "acme", "domains_held": True})
