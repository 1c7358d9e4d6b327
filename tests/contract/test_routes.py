"""Every route says who may pass, and the document knows every route."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from rbac_api import Settings, requires
from rbac_api.factory import close_app, create_app
from rbac_api.guard.enforcement.decorators import unguarded_views
from rbac_api.guard.enforcement.rules import Rule
from tests.contract.operations import Operation, operations

UNDOCUMENTED = {  # the document itself, its page, and what leads there
    "/openapi.json",
    "/",
    "/docs",
    "/docs/assets/<path:path>",
    "/docs/session",
}
PUBLIC = {
    "login",
    "refresh",
    "set_password",
    "get_health",
    "get_readiness",
    "get_metrics",
    "get_jwks",
    "get_checkpoint_key",
    "get_revocations",
    "get_published_roles",
    "get_problem",
    "get_policy_schema",
    "issue_token",  # by credentials of its own, or by a refresh token
    "logout",  # by any token of a session, an expired one too
    "revoke_token",  # the same, or by naming the client it was issued to
    "describe_server",
    "describe_server_for_openid_clients",
    "describe_decision_point",
}
# Somebody's own affairs: whoever is signed in may, and nobody needs a permission for them.
OWN = {
    "get_me", "update_me", "change_my_password", "list_my_sessions", "end_my_session", "end_my_sessions", "enrol_totp", "confirm_totp",
    "remove_totp", "list_activations", "activate_role", "drop_role", "get_my_access", "list_my_permissions", "get_decision", "diff_access",
    "list_my_domains",
}  # fmt: skip


@pytest.fixture(scope="module")
def app() -> Iterator[Flask]:
    """The application with nothing behind it: no database is asked what routes there are."""
    found = create_app(
        Settings(database_url="sqlite:////nowhere/rbac.db", secret_key="k" * 8 + "0123456789" * 4),
        check_database=False,
    )
    yield found
    close_app(found)


@pytest.fixture(scope="module")
def known(app: Flask) -> dict[str, Operation]:
    return {operation.id: operation for operation in operations(app)}


def test_no_view_is_without_a_guard(app: Flask) -> None:
    assert unguarded_views(app) == []


def test_a_view_without_a_guard_is_named(app: Flask) -> None:
    stranger = Flask("stranger", static_folder=None)
    stranger.add_url_rule("/open", view_func=lambda: "", endpoint="open", methods=["GET", "POST"])
    stranger.add_url_rule("/closed", view_func=requires()(lambda: ""), endpoint="closed")

    assert unguarded_views(stranger) == ["GET /open", "POST /open"]


def test_the_document_knows_every_route(app: Flask, known: dict[str, Operation]) -> None:
    served = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule not in UNDOCUMENTED
    }
    documented = {(operation.method, operation.path.count("{")) for operation in known.values()}

    assert len(served) == len(known)
    assert {(method, rule.count("<")) for method, rule in served} == documented


def test_what_the_document_says_of_access_is_what_the_guard_asks(
    app: Flask, known: dict[str, Operation]
) -> None:
    asked = {}
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            handler: Any = getattr(getattr(view, "view_class", None), method.lower(), view)
            if rule.rule not in UNDOCUMENTED:
                asked[handler._apidoc["manual_doc"]["operationId"]] = handler.access

    for name, operation in known.items():
        access = asked[name]
        assert operation.public == (access == "public"), name
        assert operation.permission == (access.permission if isinstance(access, Rule) else None), name


def test_what_anybody_may_and_what_needs_no_permission_is_listed_here(known: dict[str, Operation]) -> None:
    assert {name for name, operation in known.items() if operation.public} == PUBLIC
    assert {name for name, found in known.items() if not found.public and not found.permission} == OWN


def test_a_right_to_read_is_never_a_right_to_write(known: dict[str, Operation]) -> None:
    for name, operation in known.items():
        if operation.permission:
            reads = operation.permission.endswith(":read")
            assert reads is not operation.writes, name


def test_an_operation_is_named_after_the_function_that_serves_it(known: dict[str, Operation]) -> None:
    for name in known:
        assert name.isidentifier()
        assert name == name.lower()
