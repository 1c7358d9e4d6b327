"""The OpenAPI document: valid, clean under a public ruleset, and complete enough that a person can work from it alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask
from flask.views import MethodView
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.openapi.document import Api
from tests.conftest import Stages
from tests.servers.node import node_workshop, run_node

Operation = dict[str, Any]
OAUTH = "#/components/schemas/OAuthError"  # what the OAuth endpoints answer instead of a problem document
AUTHZEN = "'schema': {'type': 'string'}"  # what the AuthZEN endpoints do


@pytest.fixture(scope="module")
def text(stages: Stages) -> str:
    """The document as it is served."""
    return stages.get("sqlite").app.test_client().get("/openapi.json").text


@pytest.fixture(scope="module")
def document(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, Operation]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield f"{method.upper()} {path}", operation


def resolved(document: dict[str, Any], thing: dict[str, Any]) -> dict[str, Any]:
    """What a reference points to; other things as they are."""
    while "$ref" in thing:
        place: Any = document
        for step in thing["$ref"].removeprefix("#/").split("/"):
            place = place[step]
        thing = place
    return thing


def unexplained(document: dict[str, Any], schema: dict[str, Any], at: str) -> Iterator[str]:
    """Parts for which Swagger UI would make something up, such as "string" or "additionalProp1"."""
    schema = resolved(document, schema)
    if "example" in schema or "enum" in schema or "const" in schema:
        return
    for choice in schema.get("anyOf", schema.get("oneOf", [])):
        if choice != {"type": "null"}:
            yield from unexplained(document, choice, at)
    if "properties" in schema:
        for name, inner in schema["properties"].items():
            yield from unexplained(document, inner, f"{at}/{name}")
    elif "items" in schema:
        yield from unexplained(document, schema["items"], f"{at}/0")
    elif "anyOf" not in schema and "oneOf" not in schema:
        yield at


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document, cls=OpenAPIV31SpecValidator)


@pytest.mark.outside
def test_the_document_is_clean_under_a_public_ruleset(text: str, tmp_path: Path) -> None:
    workshop = node_workshop(tmp_path / "node")
    (workshop / "openapi.json").write_text(text)

    assert run_node(workshop, "lint.mjs", "openapi.json") == ""


def test_every_operation_says_what_it_does_and_who_may(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    for name, operation in operations(document):
        assert re.fullmatch(r"[A-Z][^.]{3,60}", operation["summary"]), name
        assert len(operation["description"]) > 60, name
        by_cookie: dict[str, list[str]] = (
            {"cookieAuth": []} if name.startswith("GET ") else {"cookieAuth": [], "csrfToken": []}
        )
        program = {"clientAuth": []} in operation["security"]  # which brings no browser along
        signed_in = [{"bearerAuth": []}, by_cookie]
        known = ([], signed_in, *([[*signed_in, {}]] if operation["operationId"] == "logout" else ()))
        assert program or operation["security"] in known, name
        assert operation["x-permission"] is None or operation["x-permission"] in operation["description"], (
            name
        )


def test_every_operation_stands_under_one_tag_in_reading_order(document: dict[str, Any]) -> None:
    declared = [tag["name"] for tag in document["tags"]]
    used = [operation["tags"] for _, operation in operations(document)]

    assert all(len(tags) == 1 for tags in used)
    assert list(dict.fromkeys(tags[0] for tags in used)) == declared


def test_every_refusal_lists_its_codes_with_an_example_of_each(document: dict[str, Any]) -> None:
    components = {"$ref": "#/components/schemas/Problem", "components": document["components"]}
    validator = jsonschema_rs.Draft202012Validator(components)
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            for code, example in problems(answer):
                value = resolved(document, example)["value"]
                validator.validate(value)
                assert (value["code"], value["status"]) == (code, int(status)), name
                assert code in answer["description"], name


def problems(answer: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    media = answer.get("content", {}).get("application/problem+json", {"examples": {}})
    yield from media["examples"].items()


def test_every_error_status_has_a_problem_document_but_where_a_protocol_has_its_own(
    document: dict[str, Any],
) -> None:
    bare = [
        (name, status)
        for name, operation in operations(document)
        for status, answer in operation["responses"].items()
        if int(status) >= 400
        and not list(problems(answer))
        and not (OAUTH in str(answer) or AUTHZEN in str(answer))
    ]

    assert bare == []


def test_a_403_names_the_operations_own_permission(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        permission = operation["x-permission"]
        if permission and "/access/" in name:
            told = operation["responses"]["403"]["content"]["application/json"]["examples"]["access.denied"]
            assert permission in told["value"], name
        elif permission and "/oauth/" not in name:  # which knows 401 alone (RFC 7662 section 2.3)
            example = dict(problems(operation["responses"]["403"]))["access.denied"]
            assert resolved(document, example)["value"]["required"] == permission, name


def test_every_example_is_a_real_one(document: dict[str, Any]) -> None:
    made_up: list[str] = []
    for name, operation in operations(document):
        contents = [operation.get("requestBody", {}), *operation["responses"].values()]
        for media_type, media in (pair for part in contents for pair in part.get("content", {}).items()):
            if "example" not in media and "examples" not in media:
                made_up += unexplained(document, media["schema"], f"{name} {media_type}")

    assert made_up == []


def test_no_parameter_is_filled_in_beforehand(document: dict[str, Any]) -> None:
    """Swagger UI takes an example for a value: a hasty *Execute* would filter by it, or delete it."""
    filled = [
        f"{path}: {parameter['name']}"
        for path, item in document["paths"].items()
        for part in (item, *(operation for method, operation in item.items() if method != "parameters"))
        for parameter in (resolved(document, one) for one in part.get("parameters", []))
        if {"example", "examples"} & {*parameter, *parameter["schema"]} and parameter["name"] != "limit"
    ]

    assert filled == []  # a limit's example is its default


def test_the_document_holds_no_token(text: str) -> None:
    assert not re.search(r"eyJ|rbac-setup-[A-Za-z0-9]|\$2[aby]\$|BEGIN", text)


def test_an_operation_that_is_not_described_stops_the_start() -> None:
    blueprint = Blueprint("bare", "tests", tag="Users", description="Nothing is said of it.")

    @blueprint.route("/bare")
    class Bare(MethodView):
        def get(self) -> str:
            return "never reached"

    wanting = "operationId, summary, description, security, x-permission, a successful response"
    with pytest.raises(RuntimeError, match=f"GET /bare is not fully described: {wanting}"):
        api = Api(Flask("bare"))
        api.register_blueprint(blueprint)
        api.document()


def unbounded(document: dict[str, Any], schema: dict[str, Any], at: str) -> Iterator[str]:
    """Texts and lists of a request that may be of any length as far as the document goes."""
    schema = resolved(document, schema)
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "string" in kinds and not {"maxLength", "enum", "const", "format"} & set(schema):
        yield at
    if "array" in kinds:
        yield from [] if "maxItems" in schema else [at]
        yield from unbounded(document, schema.get("items", {}), f"{at}[]")
    for name, member in schema.get("properties", {}).items():
        yield from unbounded(document, member, f"{at}.{name}")
    for choice in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from unbounded(document, choice, at)


def requested(document: dict[str, Any], operation: Operation) -> Iterator[tuple[str, dict[str, Any]]]:
    """Arguments and bodies; headers and OAuth's forms are bounded by what the server takes in (431, 413)."""
    for parameter in operation.get("parameters", ()):
        found = resolved(document, parameter)
        if found["in"] != "header":
            yield found["name"], found.get("schema", {})
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        if media_type != "application/x-www-form-urlencoded":
            yield media_type, content.get("schema", {})


def test_every_text_and_list_of_a_request_has_a_bound(document: dict[str, Any]) -> None:
    found = [
        place
        for name, operation in operations(document)
        for part, schema in requested(document, operation)
        for place in unbounded(document, schema, f"{name} {part}")
    ]

    assert found == []


def two_forms(schema: Any, at: str = "") -> Iterator[str]:
    """Where a schema has a pattern beside a form that is a pattern already."""
    if isinstance(schema, dict):
        if "pattern" in schema and {"format", "anyOf", "oneOf", "allOf", "enum"} & schema.keys():
            yield at
        for name, part in schema.items():
            yield from two_forms(part, f"{at}/{name}")
    elif isinstance(schema, list):
        for place, part in enumerate(schema):
            yield from two_forms(part, f"{at}/{place}")


def test_no_text_has_two_forms(document: dict[str, Any]) -> None:
    """A generator makes texts of the pattern until one has the format by chance: minutes for each address."""
    assert list(two_forms(document)) == []
    assert list(two_forms([{"pattern": "^[^!]*$", "anyOf": [{"format": "ipv4"}]}])) == ["/0"]


def test_a_text_without_a_bound_would_be_found(document: dict[str, Any]) -> None:
    schema = {"properties": {"names": {"type": "array", "items": {"type": ["string", "null"]}}}}

    assert list(unbounded(document, schema, "body")) == ["body.names", "body.names[]"]
