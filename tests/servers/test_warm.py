"""A service that is forked from a process with the product imported is a process like any other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.calls import once
from tests.patience import eventually
from tests.servers.places import server_folder
from tests.servers.service import MEASURED, SETTINGS, Service
from tests.servers.supervisor import Order
from tests.servers.warm import Forked

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parents[2]
ABANDONED = """
import time
from tests.servers.places import server_folder
from tests.servers.service import SETTINGS, Service
folder = server_folder("abandoned")
service = Service(folder, {**SETTINGS, "RBAC_DATA_DIR": str(folder)}, warm=True)
service.start()
print(folder, service.process.pid, *service.workers, flush=True)
time.sleep(60)
"""
Make = Callable[[], Service]


@pytest.fixture(params=[True, False], ids=["warm", "cold"])
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes services that are started in one of the two ways, also where coverage is measured."""
    for name in [name for name in os.environ if name.startswith(MEASURED)]:
        monkeypatch.delenv(name)
    made: list[Service] = []

    def one() -> Service:
        folder = server_folder("warm")
        made.append(Service(folder, {**SETTINGS, "RBAC_DATA_DIR": str(folder)}, warm=request.param))
        return made[-1]

    yield one
    for service in made:
        service.end()


def test_it_has_a_session_a_folder_and_settings_of_its_own(make: Make) -> None:
    first, second = make(), make()
    for service in (first, second):
        service.start()

    for service in (first, second):
        pid = service.process.pid
        assert (os.getsid(pid), os.getpgid(pid)) == (pid, pid)
        assert Path(f"/proc/{pid}/cwd").resolve() == service.folder
        assert Path(f"/proc/{pid}/fd/0").resolve() == Path(os.devnull)
        assert f"Swagger UI: http://127.0.0.1:{service.port}/docs" in service.output()
        assert len(service.workers) == 1
        assert b"rbac_http_requests_total" in once(service, "GET", "/metrics").body
    assert first.terminate() == 0
    assert once(second, "GET", "/readyz").status == 200


def test_its_end_is_known_however_it_ends(make: Make) -> None:
    service = make()
    service.start()
    os.killpg(service.process.pid, signal.SIGKILL)

    assert eventually(lambda: not service.process.alive)

    assert service.wait() == 128 + signal.SIGKILL
    service.start()
    service.kill()
    assert service.wait() == 128 + signal.SIGKILL


def test_a_refused_start_says_why_and_fails(make: Make) -> None:
    running, other = make(), make()
    running.start()
    other._order.environment["PORT"] = str(running.port)  # type: ignore[index]  # it has one

    other.start(wait=False)

    assert other.wait() == 1
    assert "Address already in use" in other.output()
    assert "Traceback" not in other.output()


def test_a_killed_run_leaves_no_forked_server_behind() -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(MEASURED)}
    run = subprocess.Popen(
        [sys.executable, "-c", ABANDONED], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=kept
    )
    assert run.stdout is not None
    folder, *pids = run.stdout.readline().split()
    assert all(Path(f"/proc/{pid}").exists() for pid in pids)

    run.kill()
    run.communicate()

    assert eventually(lambda: not Path(folder).exists())
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_what_takes_long_is_given_up(tmp_path: Path) -> None:
    endless = tmp_path / "endless.py"
    endless.write_text("import time\ntime.sleep(600)\n")
    order = Order([sys.executable, str(endless)], str(tmp_path), environment={})
    with (tmp_path / "log").open("ab") as log:
        keeper = Forked(order, log)

    with pytest.raises(subprocess.TimeoutExpired):
        keeper.wait(0.1)

    assert keeper.poll() is None
    for pipe in (keeper.stdin, keeper.stdout):
        pipe.close()
    assert keeper.wait(60) == 128 + signal.SIGTERM


def test_where_coverage_is_measured_everything_starts_from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith(MEASURED)]:
        monkeypatch.delenv(name)
    assert Service(tmp_path, {}, warm=True)._order.warm
    assert not Service(tmp_path, {}, "-c", "pass", warm=True)._order.warm

    monkeypatch.setenv("COVERAGE_PROCESS_CONFIG", "x")

    assert not Service(tmp_path, {}, warm=True)._order.warm
