"""The servers the other tests stand on: each comes up, keeps its promises, and leaves nothing behind."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis
from playwright.sync_api import sync_playwright

from tests.servers import (
    PostgresServer,
    ServerMissing,
    ValkeyServer,
    find_browser,
    start_postgres,
    start_valkey,
)
from tests.servers import browser as browsers

pytestmark = pytest.mark.outside

PAGE = "<title>Roles</title><h1 style='font-size:80px'>Alice is admin</h1>"
FINDERS = [find_browser, *([browsers.fetched_browser] if shutil.which("npm") else [])]
ABANDONED = """
import time
from tests.servers import start_postgres, start_valkey
servers = start_postgres(), start_valkey()
print(*(s._process.folder for s in servers), *(s.url for s in servers), flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = start_postgres(durable=True)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    server = start_valkey()
    yield server
    server.stop()


def ask(url: str, question: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(question.encode())
        return (cursor.fetchone() or [None])[0] if cursor.description else None


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def answers(url: str) -> bool:
    try:
        return ask(url, "SELECT true") is True
    except psycopg.OperationalError:
        return False


def test_postgres_gives_every_test_a_database_of_its_own(postgres: PostgresServer) -> None:
    template = postgres.create_database()
    ask(template, "CREATE TABLE kept (n int)")
    copy = postgres.create_database(template)
    assert ask(copy, "SELECT count(*) FROM kept") == 0
    postgres.drop_database(copy)
    assert not answers(copy)


def test_postgres_survives_a_crash_with_what_it_had_acknowledged(postgres: PostgresServer) -> None:
    url = postgres.create_database()
    ask(url, "CREATE TABLE kept AS SELECT 42 AS n")
    postgres.crash()
    assert not answers(url)
    postgres.restart(immediate=True)
    assert ask(url, "SELECT n FROM kept") == 42


def test_postgres_lives_in_an_odd_time_zone(postgres: PostgresServer) -> None:
    assert ask(postgres.url, "SHOW timezone") == "Pacific/Chatham"


def test_valkey_comes_back_empty_at_the_same_address(valkey: ValkeyServer) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.set("attempts", 3)
        valkey.freeze()
        with (
            redis.Redis.from_url(valkey.url, socket_timeout=0.3, retry=None) as hasty,
            pytest.raises(redis.TimeoutError),
        ):
            hasty.get("attempts")
        valkey.thaw()
        valkey.restart()
        assert wait_until(lambda: client.get("attempts") is None)


def test_a_killed_run_leaves_no_server_behind() -> None:
    run = subprocess.Popen([sys.executable, "-c", ABANDONED], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    *folders, postgres_url, _ = run.stdout.readline().split()
    assert answers(postgres_url)
    run.kill()
    run.communicate()
    assert wait_until(lambda: not any(Path(folder).exists() for folder in folders))
    assert not answers(postgres_url)


def looked_at(browser: browsers.Browser, painted: Path) -> tuple[str, bytes, bytes]:
    """The words of the page, the page as a picture, and an empty one as a picture."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser.executable,
            env={**browser.env},
            args=browser.args,
        )
        page = chromium.new_page()
        page.set_content(PAGE)
        words, picture = page.inner_text("h1"), page.screenshot(path=painted)
        page.set_content("<title>empty</title>")
        blank = page.screenshot()
        chromium.close()
    return words, picture, blank


@pytest.mark.parametrize("find", FINDERS)
def test_the_browser_shows_text(find: Callable[[], browsers.Browser], tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as thread:  # beside the loop of a browser that other tests may have opened
        words, painted, blank = thread.submit(looked_at, find(), tmp_path / "painted.png").result()
    assert words == "Alice is admin"
    assert len(painted) > len(blank) + 1000, "without a font the page stays blank"


def test_a_browser_that_is_not_there_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RBAC_TEST_BROWSER", os.devnull)
    with pytest.raises(ServerMissing, match="apt-get install chromium"):
        find_browser()
