"""What anybody may ask for as often as she likes costs little: no key is opened for it, no role is compiled, and few rows are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import event

from rbac_api.cli.prepare import prepare
from rbac_api.guard.state import queries
from rbac_api.guard.tokens import kept_keys, signing
from rbac_api.guard.tokens.kept_keys import KeptKeys
from tests.builders import OpenNode, Stage
from tests.cast import ALICE

KEYS = 5
STATEMENTS = {"/readyz": 8}  # others: at most three
VALUES = {"code": "access.denied", "name": "docs.js", "place": "auth"}


def public_gets(stage: Stage) -> list[str]:
    """The addresses of all views that say that they are for everybody and answer GET."""
    found = []
    for rule in stage.app.url_map.iter_rules():
        view: Any = stage.app.view_functions[rule.endpoint]
        handler = getattr(getattr(view, "view_class", None), "get", view)
        if "GET" in (rule.methods or ()) and getattr(handler, "access", None) == "public":
            filled = {name: VALUES.get(name, "x") for name in rule.arguments}
            found.append(rule.build(filled)[1] if rule.arguments else rule.rule)  # type: ignore[index]
    return sorted(found)


@pytest.fixture
def five_keys(stage: Stage, node: OpenNode) -> Stage:
    """A node with RS256 and five keys that verify."""
    own = node(signing_algorithm="RS256", issuer="https://host.example/auth")
    prepare(own.settings, own.database)
    alice = own.as_(ALICE)
    for _ in range(KEYS - 1):
        assert alice.post("/v1/keys/rotate").status_code == 201
    return own


@contextmanager
def counted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[str], list[str]]]:
    """What slow work was done, and which statements were executed, meanwhile."""
    slow: list[str] = []
    statements: list[str] = []

    def noted(owner: Any, name: str) -> None:
        inner: Callable[..., Any] = getattr(owner, name)

        def outer(*arguments: Any, **options: Any) -> Any:
            slow.append(name)
            return inner(*arguments, **options)

        monkeypatch.setattr(owner, name, outer)

    def executed(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
            statements.append(statement)

    noted(serialization, "load_pem_private_key")
    noted(kept_keys, "unseal")
    noted(kept_keys, "key_from_pem")
    noted(signing, "_named")
    noted(queries, "find_role_graph")
    event.listen(stage.database.engine, "before_cursor_execute", executed)
    try:
        yield slow, statements
    finally:
        event.remove(stage.database.engine, "before_cursor_execute", executed)


@pytest.mark.large
def test_the_second_look_at_anything_public_opens_no_key_and_reads_little(
    five_keys: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, paths = five_keys.app.test_client(), public_gets(five_keys)
    assert {"/.well-known/jwks.json", "/.well-known/revocations", "/readyz", "/metrics"} <= set(paths)
    assert len(client.get("/.well-known/jwks.json").json["keys"]) >= KEYS
    for path in paths:
        client.get(path)
        with monkeypatch.context() as patch, counted(five_keys, patch) as (slow, statements):
            client.get(path)
        assert slow == [], path
        assert len(statements) <= STATEMENTS.get(path, 3), (path, statements)


@pytest.mark.large
def test_a_change_of_keys_opens_the_new_one_and_no_other(
    five_keys: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, client = five_keys.as_(ALICE), five_keys.app.test_client()
    client.get("/.well-known/jwks.json")
    alice.post("/v1/keys/rotate")
    with counted(five_keys, monkeypatch) as (slow, _):
        client.get("/.well-known/jwks.json")
        client.get("/.well-known/revocations")
        assert alice.get("/v1/me").status_code == 200
    assert slow.count("unseal") <= 1


@pytest.mark.large
def test_a_ring_that_opens_keys_each_time_would_be_seen(
    five_keys: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin that does too much."""
    remembering = KeptKeys.read

    def naive(self: KeptKeys, connection: Any) -> Any:
        self._opened.clear()
        return remembering(self, connection)

    monkeypatch.setattr(KeptKeys, "read", naive)
    client = five_keys.app.test_client()
    client.get("/.well-known/jwks.json")
    with counted(five_keys, monkeypatch) as (slow, _):
        client.get("/.well-known/jwks.json")
    assert slow.count("unseal") >= KEYS


def test_a_key_that_was_sealed_here_is_the_key_that_was_made() -> None:
    """The test of its numbers is left out for speed alone."""
    pem = signing.generate_pem("RS256")
    slow, fast = signing.key_from_pem(pem, "RS256"), signing.key_from_pem(pem, "RS256", checked=True)
    form = (Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert slow.private.private_bytes(*form) == fast.private.private_bytes(*form)
    assert slow.jwk == fast.jwk
