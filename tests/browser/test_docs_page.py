"""What the server does for Swagger UI: one page, a short list of files, strict headers; nothing when it is switched off."""

import gzip
import re
import sys
from collections.abc import Callable
from functools import partial

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from rbac_api.factory import close_app, create_app
from rbac_api.web.openapi.swagger_ui import HEADERS, register_docs
from tests.builders import build, settings_for
from tests.conftest import Stages

VARY = "Accept-Encoding, X-Forwarded-Prefix"
Get = Callable[..., TestResponse]


@pytest.fixture
def get(stages: Stages) -> Get:
    return partial(stages.get("sqlite").app.test_client().get, buffered=True)  # read to the end, and closed


@pytest.mark.parametrize(
    "path", ["/docs", "/docs/", "/docs/assets/docs.js", "/docs/assets/swagger-ui-bundle.js"]
)
def test_the_page_and_its_files_allow_nothing_foreign(get: Get, path: str) -> None:
    answer = get(path)

    assert answer.status_code == 200
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("docs.css", "text/css"),
        ("bar.js", "text/javascript"),
        ("favicon-32x32.png", "image/png"),
        ("LICENSE", "text/plain"),
    ],
)
def test_media_types_are_stated(get: Get, name: str, media_type: str) -> None:
    assert get(f"/docs/assets/{name}").mimetype == media_type


FIXED = ["/docs", "/docs/assets/docs.css", "/docs/assets/swagger-ui-bundle.js", "/openapi.json"]


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
@pytest.mark.parametrize("path", FIXED)
def test_an_unchanged_file_is_not_sent_again(get: Get, path: str, encoding: str) -> None:
    first = get(path, headers={"Accept-Encoding": encoding})

    again = get(path, headers={"Accept-Encoding": encoding, "If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")
    assert (again.headers["ETag"], again.headers["Vary"]) == (first.headers["ETag"], VARY)
    assert not first.headers["ETag"].startswith("W/")


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("*", True),
        ("br", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("identity, gzip;q=0.5", False),
    ],
)
@pytest.mark.parametrize("path", FIXED)
def test_a_file_is_compressed_for_those_who_take_it(
    get: Get, path: str, accepted: str | None, packed: bool
) -> None:
    plain = get(path)

    answer = get(path, headers={} if accepted is None else {"Accept-Encoding": accepted})

    assert answer.headers.get("Content-Encoding") == ("gzip" if packed else None)
    assert (gzip.decompress(answer.data) if packed else answer.data) == plain.data
    assert (answer.headers["ETag"] == plain.headers["ETag"]) is not packed
    assert answer.headers["Vary"] == VARY
    assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_an_image_is_not_compressed_a_second_time(get: Get) -> None:
    answer = get("/docs/assets/favicon-32x32.png", headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in answer.headers


def loaded(get: Get) -> list[str]:
    """What the page names, and what those scripts import by relative address."""
    named: list[str] = re.findall(r'(?:href|src)="(/docs/assets/[^"]+)"', get("/docs").text)
    modules = [path for path in named if path.endswith("/docs.js")]
    for path in modules:
        folder = path.rpartition("/")[0]
        imported = re.findall(r'from "\./([a-z_]+\.js)"', get(path).text)
        modules += [f"{folder}/{name}" for name in imported if f"{folder}/{name}" not in modules]
    return [*named, *modules]


def test_everything_the_page_loads_weighs_less_than_a_third_and_is_kept_for_a_year(get: Get) -> None:
    paths = loaded(get)
    answers = [get(path, headers={"Accept-Encoding": "gzip"}) for path in paths]
    document = get("/openapi.json", headers={"Accept-Encoding": "gzip"})

    assert len(paths) > 12
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["Cache-Control"] for answer in answers} == {"public, max-age=31536000, immutable"}
    assert document.headers["Cache-Control"] == get("/docs").headers["Cache-Control"] == "no-cache"
    assert sum(len(answer.data) for answer in (*answers, document)) < 800_000


@pytest.mark.parametrize(
    ("path", "status"),
    [("0123456789abcdef/docs.js", 200), ("docs.js", 200), ("other/docs.js", 404), ("a/b/docs.js", 404)],
)
def test_a_file_of_another_version_is_not_kept(get: Get, path: str, status: int) -> None:
    """As while nodes are upgraded one after the other: a page of the one asks the other for its files."""
    answer = get(f"/docs/assets/{path}")

    assert (answer.status_code, "immutable" in answer.headers.get("Cache-Control", "")) == (status, False)


@pytest.mark.parametrize("cookie", ["__Host-rbac-access", "__Host-rbac-refresh", "other", None])
def test_the_page_learns_whether_the_browser_has_a_sessions_cookies(
    stages: Stages, cookie: str | None
) -> None:
    client = stages.get("sqlite").app.test_client(use_cookies=False)

    answer = client.get("/docs/session", headers={"Cookie": f"{cookie}=x"} if cookie else {})

    assert answer.json == {"cookies": (cookie or "").startswith("__Host-")}
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "name", ["oauth2-redirect.html", "docs.html", "../docs.py", "..%2fdocs.py", "/etc/passwd", "%00"]
)
def test_files_off_the_list_do_not_exist(get: Get, name: str) -> None:
    answer = get(f"/docs/assets/{name}")

    assert answer.status_code == 404
    assert '"code":"resource.not_found"' in answer.text


def test_the_page_finds_its_files_under_a_proxys_prefix(get: Get) -> None:
    page = get("/docs", environ_overrides={"SCRIPT_NAME": '/people"s'}).text

    assert re.search(r'href="/people%22s/docs/assets/[0-9a-f]{16}/docs\.css"', page)
    assert 'data-root="/people%22s"' in page
    assert "{{" not in page


def test_the_page_holds_no_script_of_its_own(get: Get) -> None:
    page = get("/docs").text

    assert page.count("<script") == page.count('<script src="/docs/assets/') == 2
    assert re.findall(r"\son\w+\s*=|<style|\sstyle=|javascript:", page) == []


def test_a_missing_package_is_named_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flask_swagger_ui", None)  # as where it is not installed

    with pytest.raises(RuntimeError, match="install flask-swagger-ui, or switch RBAC_DOCS off"):
        register_docs(Flask("bare"))


def test_switched_off_there_is_no_page_and_no_file(empty_url: str) -> None:
    settings = settings_for(empty_url, docs=False)
    build(settings)
    app = create_app(settings)

    found = [
        app.test_client().get(path).status_code for path in ("/docs", "/docs/assets/docs.js", "/openapi.json")
    ]

    close_app(app)
    assert found == [404, 404, 200]
