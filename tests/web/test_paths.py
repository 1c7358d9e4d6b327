"""One address, one path: a proxy's rule for ``/v1/`` or ``/metrics`` sees every spelling that the service answers to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from rbac_api.formats.http_errors import PathNotCanonical
from rbac_api.web.responses.problems import register_problems
from rbac_api.web.server.middleware import register_spellings
from tests.builders import Stage
from tests.cast import ALICE
from tests.faults.test_wire import hear, node, send
from tests.servers.service import Service

pytestmark = pytest.mark.outside

DOCUMENT = Path(__file__).parents[2] / "openapi" / "openapi.json"
EACH_PATH = sorted(path for path in json.loads(DOCUMENT.read_text())["paths"] if "{" not in path)
SPELLINGS = {
    "a second slash in front": lambda path: "/" + path,
    "two more slashes in front": lambda path: "//" + path,
    "a second slash within": lambda path: path[0] + path[1:].replace("/", "//", 1) if "/" in path[1:] else f"//{path}",
    "a slash behind": lambda path: f"{path}/",
    "slashes behind": lambda path: f"{path}//",
    "a dot in front": lambda path: f"/.{path}",
    "a dot behind": lambda path: f"{path}/.",
    "two dots in front": lambda path: f"/v1/..{path}",
    "an encoded dot": lambda path: f"/%2e{path}",
    "two encoded dots": lambda path: f"/v1/%2E%2e{path}",
    "half encoded dots": lambda path: f"/v1/.%2e{path}",
    "an encoded slash": lambda path: path[0] + path[1:].replace("/", "%2F", 1) if "/" in path[1:] else f"/%2f{path[1:]}",
    "an encoded slash in front": lambda path: f"/%2F{path[1:]}",
    "an encoded letter": lambda path: f"/%{ord(path[1]):02x}{path[2:]}",
    "the last letter encoded": lambda path: f"{path[:-1]}%{ord(path[-1]):02X}",
    "a parameter": lambda path: f"{path};a=b",
    "a parameter in front": lambda path: f"/;a=b{path}",
    "a fragment": lambda path: f"{path}#part",
    "a backslash in front": lambda path: "/\\" + path[1:],
    "an encoded backslash": lambda path: "/%5c" + path[1:],
    "a broken escape": lambda path: f"{path}%",
    "NUL behind": lambda path: f"{path}%00",
    "in capitals": lambda path: path.upper(),
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Service]:
    found = node()
    yield found
    found.terminate()
    found.end()


def test_each_operation_answers_to_one_spelling_of_its_path(server: Service) -> None:
    """Over the wire, since what a test client sends is tidied on the way."""
    answered = []
    for path in EACH_PATH:
        for name, spell in SPELLINGS.items():
            sent = spell(path)
            request = f"GET {sent} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            answer = hear(send(server, request.encode()))
            if answer[9:12] not in ("404", "400"):
                answered.append((path, name, answer[:40]))
    assert answered == []


@pytest.mark.parametrize("sent", ["//healthz", "/%68ealthz", "/./healthz", "/x;y"])
def test_the_answer_says_how_a_path_is_written(server: Service, sent: str) -> None:
    _, _, body = hear(
        send(server, f"GET {sent} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    ).rpartition("\r\n\r\n")

    assert json.loads(body)["detail"] == PathNotCanonical.default_detail
    assert json.loads(body)["status"] == 404


def test_what_has_to_be_encoded_may_be_and_a_whole_address_may_be_sent(server: Service) -> None:
    for sent in ("http://x/healthz", "http://x/v1/users?q=//b/../%2f;c", "/v1/users?q=//b/../%2f;c"):
        request = f"GET {sent} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert hear(send(server, request.encode())).startswith(("HTTP/1.1 200 ", "HTTP/1.1 401 ")), sent


def test_a_colon_in_a_name_may_be_encoded(stage: Stage) -> None:
    assert stage.as_(ALICE).get("/v1/permissions/users%3Aread").status_code == 200
    assert stage.as_(ALICE).get("/v1/permissions/users:read").status_code == 200


@pytest.mark.parametrize(
    ("path", "status"), [("/there", 200), ("//there", 404), ("/./there", 404), ("/the;re", 200)]
)
def test_where_the_server_does_not_tell_the_path_as_sent_the_decoded_one_is_judged(
    path: str, status: int
) -> None:
    app = Flask("elsewhere")
    register_problems(app)
    register_spellings(app)
    app.add_url_rule("/<name>", view_func=lambda name: name)
    found: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", "HTTP_HOST": "x", "SERVER_NAME": "x", "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
    }  # fmt: skip

    list(app.wsgi_app(environ, lambda line, _headers, _info=None: found.append(line[:3])))

    assert found == [str(status)]
