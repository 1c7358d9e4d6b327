"""Bodies that are ambiguous, unstorable or too much are refused by every operation that takes one."""

from __future__ import annotations

import gzip
import io
import itertools
import json
from typing import Any

import pytest

from rbac_api.errors import Invalid
from rbac_api.formats.http_errors import Unreadable
from rbac_api.web.requests.arguments import strict_json
from tests.builders import Caller, Stage
from tests.cast import ALICE, PASSWORD
from tests.contract.operations import Operation, operations

JSON = "application/json"
LIMIT = 64 * 1024
UNREADABLE: dict[str, bytes] = {
    "a duplicate key": b'{"username": "a", "username": "b"}', "a duplicate key further down": b'{"a": [{"b": 1, "b": 1}]}',
    "NaN": b'{"a": NaN}', "Infinity": b'{"a": Infinity}', "-Infinity": b'{"a": -Infinity}',
    "1e400": b'{"a": 1e400}', "-1e400": b'{"a": -1e400}', "hexadecimal": b'{"a": 0x10}', "a leading zero": b'{"a": 01}',
    "20 digits": b'{"a": 18446744073709551616}', "5000 digits": b'{"a": ' + b"9" * 5000 + b"}", "-2^63-1": b'{"a": -9223372036854775809}',
    "33 levels": b"[" * 33 + b"]" * 33, "1000 levels": b"[" * 1000 + b"]" * 1000, "30000 levels": b"[" * 30000 + b"]" * 30000,
    "10000 levels of objects": b'{"a":' * 10000 + b"1" + b"}" * 10000, "open brackets": b"[" * 60000,
    "a BOM": b"\xef\xbb\xbf{}", "UTF-16": '{"a": "b"}'.encode("utf-16"), "UTF-16 without BOM": '{"a": "b"}'.encode("utf-16-le"),
    "UTF-32": "{}".encode("utf-32"), "Latin-1": '{"a": "é"}'.encode("latin-1"), "an overlong slash": b'{"a": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"a": "\xed\xa0\x80"}', "0xff": b"\xff", "gzip": gzip.compress(b"{}"),
    "blanks": b"   ", "half of it": b'{"a": ', "two values": b"{} {}", "a rest": b"{}x", "a comment": b"{} // x", "YAML": b"a: b",
    "single quotes": b"{'a': 1}", "a trailing comma": b'{"a": 1,}', "a form": b"username=a&password=b",
    "33 levels around a NUL": b"[" * 33 + b'"\\u0000"' + b"]" * 33, "a raw NUL": b'{"a": "\x00"}', "a raw line feed": b'{"a": "\n"}',
}  # fmt: skip
INVALID: dict[str, bytes] = {
    "a list": b"[]", "a text": b'"text"', "a number": b"1", "null": b"null", "true": b"true", "an unknown field": b'{"no_such_field": 1}',
    "NUL": b'{"a": "\\u0000"}', "a lone surrogate": b'{"a": "\\ud800"}', "a lone low surrogate": b'{"a": ["\\udc00"]}',
    "NUL in a name": b'{"a\\u0000": 1}', "a surrogate in a name": b'{"\\ud800": 1}',
    "32 levels": b'{"a":' + b"[" * 31 + b"]" * 31 + b"}",
}  # fmt: skip
OTHER_TYPES = (
    "", "text/plain", "text/json", "application/xml", "application/json-patch+json", "application/jsonx",
    "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
)  # fmt: skip
A_UUID = "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"
IDS = dict.fromkeys(("user_id", "session_id", "account_id", "incident_id", "decision_id", "secret_id", "kid", "code"), A_UUID) | {
    "name": "role-manager", "role": "role-manager", "constraint": "rule", "junior": "auditor", "permission": "users:read", "seq": "1",
    "domain": "nowhere",
}  # fmt: skip


def taking_bodies(stage: Stage) -> list[Operation]:
    known = operations(stage.app)
    found = [operation for operation in known if operation.body is not None and not operation.own_form]
    assert len(found) >= 10
    return found


def send(caller: Caller, operation: Operation, data: bytes, content_type: str = JSON) -> Any:
    return caller.call(
        operation.method, operation.at(IDS), data=data, content_type=content_type, headers={"If-Match": '"1"'}
    )


def differing(
    stage: Stage, bodies: dict[str, bytes], content_types: tuple[str, ...], expected: tuple[int, str]
) -> list[Any]:
    """Which operation answers which body in another way than expected."""
    alice = stage.as_(ALICE)
    taking = [
        each for each in taking_bodies(stage) if not (each.takes_documents and expected[0] in (413, 415))
    ]
    asked = [(each, name, kind) for each in taking for name in bodies for kind in content_types]
    answers = [(each.id, name, kind, send(alice, each, bodies[name], kind)) for each, name, kind in asked]
    return [
        (*where, answer.text)
        for *where, answer in answers
        if (answer.status_code, answer.json["code"]) != expected
    ]


def test_no_operation_reads_what_cannot_be_read_in_one_way_only(stage: Stage) -> None:
    assert differing(stage, UNREADABLE, (JSON,), (400, "request.unreadable")) == []


def test_no_operation_takes_what_it_does_not_know(stage: Stage) -> None:
    assert differing(stage, INVALID, (JSON,), (422, "request.invalid")) == []


def test_no_operation_takes_a_body_that_is_not_declared_json(stage: Stage) -> None:
    assert differing(stage, {"well-formed": b'{"a": 1}'}, OTHER_TYPES, (415, "request.not_json")) == []


def test_no_operation_reads_a_body_beyond_the_limit(stage: Stage) -> None:
    bodies = {"a little more": b'{"a": 1}' + b" " * LIMIT, "much more": b"x" * 1_000_000}

    assert differing(stage, bodies, (JSON,), (413, "request.too_large")) == []


def test_a_body_that_is_missing_is_unreadable_where_one_is_needed(stage: Stage) -> None:
    answer = stage.caller().post("/v1/auth/login", data=b"", content_type=JSON)

    assert (answer.status_code, answer.json["code"]) == (400, "request.unreadable")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
    ],
)
def test_json_is_json_however_it_is_spelt(stage: Stage, content_type: str) -> None:
    body = json.dumps({"username": "alice", "password": PASSWORD})

    answer = stage.caller().post("/v1/auth/login", data=body, content_type=content_type)

    assert answer.status_code == 200


@pytest.mark.parametrize(("size", "status"), [(LIMIT + 1, 413), (1_000_000, 413), (LIMIT, 422)])
def test_a_body_in_pieces_has_the_same_limit(stage: Stage, size: int, status: int) -> None:
    """Chunked, without Content-Length, as gunicorn hands it on."""
    body = b'{"a": 1}' + b" " * (size - 8)
    environ = {
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
        "CONTENT_TYPE": JSON,
    }

    answer = stage.app.test_client().post("/v1/auth/login", environ_overrides=environ)

    assert (len(body), answer.status_code) == (size, status)


def test_no_text_field_takes_another_type(stage: Stage) -> None:
    alice, wrong = stage.as_(ALICE), []
    for each in taking_bodies(stage):
        texts = [
            name
            for name, field in (each.body or {})["properties"].items()
            if "string" in str(field.get("type"))
        ]
        for name, value in itertools.product(texts, (True, 1, 1.9, 2**31, 2**62, [], {}, ["x"], {"x": "y"})):
            answer = send(alice, each, json.dumps({name: value}).encode())
            if answer.status_code != 422 or f"/{name}" not in [
                fault["pointer"] for fault in answer.json["errors"]
            ]:
                wrong.append((each.id, name, value, answer.text))

    assert wrong == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"json": 1}', "/json"), (b'{"query": 1}', "/query"), (b'{"_schema": 1}', "/_schema"), (b'{"a/b~c": 1}', "/a~1b~0c"),
        (b'{"": 1}', "/"),
        (b'{"a/b": {"~": ["x", "\\u0000"]}}', "/a~1b/~0/1"), (b'{"a": [[["\\ud800"]]]}', "/a/0/0/0"), (b"[]", ""), (b'"\\u0000"', ""),
    ],
)  # fmt: skip
def test_a_fault_points_to_where_it_is(stage: Stage, body: bytes, pointer: str) -> None:
    answer = stage.caller().post("/v1/auth/login", data=body, content_type=JSON)

    assert answer.status_code == 422
    assert pointer in [fault["pointer"] for fault in answer.json["errors"]]


def test_an_unknown_field_keeps_the_known_ones_from_being_believed(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    answer = alice.post("/v1/users", json={"username": "eve", "roles": ["admin"]})

    assert answer.json["errors"] == [
        {"pointer": "/roles", "code": "field.unknown", "detail": "This field is not known here; remove it."}
    ]
    assert stage.query("SELECT count(*) FROM users WHERE username_canonical = 'eve'") == [(0,)]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, -2, 0.5, 1e3, true, null, "é", {}]}',
        "9223372036854775807",
        "-999999999999999999",
        '"\\ud83d\\ude00"',
    ],
)
def test_what_is_well_formed_comes_through_unchanged(text: str) -> None:
    assert strict_json(text.encode()) == json.loads(text)


def test_the_deepest_nesting_is_32_levels() -> None:
    def nested(levels: int) -> bytes:
        return b"[" * levels + b"]" * levels

    assert strict_json(nested(32))
    with pytest.raises(Unreadable, match="32 levels"):
        strict_json(nested(33))


def test_the_words_of_the_parser_do_not_get_out() -> None:
    with pytest.raises(Unreadable) as caught:
        strict_json(b'{"password": "secret')

    assert "secret" not in f"{caught.value.detail}{caught.value.internal}"
    with pytest.raises(Invalid):
        strict_json(b'"\\u0000"')
