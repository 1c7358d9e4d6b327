"""What the server asks of the machine before it serves."""

from __future__ import annotations

import http.client
import json
import resource
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rbac_api.cli import serve
from rbac_api.cli.prepare import Prepared
from rbac_api.factory import create_app
from rbac_api.settings import Settings
from tests.patience import PATIENCE, eventually
from tests.servers.places import server_folder
from tests.servers.service import SETTINGS, Service

pytestmark = pytest.mark.outside

WANTED = serve.MAX_CONNECTIONS + serve.OTHER_FILES + serve.FILES_OF_A_THREAD * 40


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "capacity"),
    [
        (1024, 1_048_576, [(WANTED, 1_048_576)], serve.MAX_CONNECTIONS),
        (256, resource.RLIM_INFINITY, [(WANTED, resource.RLIM_INFINITY)], serve.MAX_CONNECTIONS),
        (1024, 2048, [(2048, 2048)], 2048 - (WANTED - serve.MAX_CONNECTIONS)),
        (1_048_576, 1_048_576, [], serve.MAX_CONNECTIONS),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, [], serve.MAX_CONNECTIONS),
        (64, 64, [], 1),
    ],
)
def test_as_many_connections_are_taken_as_files_may_be_opened(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: list[Any], capacity: int
) -> None:
    found: list[Any] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: found.append(limits))

    assert serve.connection_capacity(threads=40) == capacity
    assert found == raised


GOOD_HOSTS = {
    "127.0.0.1": "http://127.0.0.1:{port}",
    "0.0.0.0": "http://127.0.0.1:{port}",
    "localhost": "http://localhost:{port}",
    "::1": "http://[::1]:{port}",
    "[::1]": "http://[::1]:{port}",
    "0:0:0:0:0:0:0:1": "http://[::1]:{port}",
    "::": "http://[::1]:{port}",
    "[::]": "http://[::1]:{port}",
}  # fmt: skip
BAD_HOSTS = [
    "999.1.1.1", "127.1", "http://127.0.0.1", "127.0.0.1:8000", "[::1]:8000", "[::1", "::1]", "[127.0.0.1]", "fe80::1%lo", "*", "a b",
    "unix:/tmp/x", "a/b", "-a", "a" * 64, "host.invalid", "192.0.2.1", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_it_serves_at_every_spelling_of_a_host_and_says_where(host: str) -> None:
    own = {"HOST": host, "RBAC_ISSUER": "", "RBAC_SEED_EXAMPLE": "off"}
    folder = server_folder("host")
    found = Service(folder, {**SETTINGS, "RBAC_DATABASE_URL": f"sqlite:///{folder}/rbac.db", **own})
    found.start(wait=False)
    address = GOOD_HOSTS[host].format(port=found.port)
    try:
        assert f"Swagger UI: {address}/docs" in found.wait_until_it_says("Swagger UI")
        assert eventually(lambda: issuer(address)), found.output()
        assert issuer(address) == address
        assert ("Set RBAC_ISSUER" in found.output()) == (host in ("0.0.0.0", "::", "[::]"))
    finally:
        found.end()


def issuer(address: str) -> str | None:
    """What the service at an address says of itself."""
    try:
        with closing(http.client.HTTPConnection(address.removeprefix("http://"), timeout=PATIENCE)) as line:
            line.request("GET", "/.well-known/oauth-authorization-server")
            return str(json.load(line.getresponse())["issuer"])
    except OSError:
        return None


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_a_bad_host_is_named_before_anything_is_written(host: str, tmp_path: Path) -> None:
    for given in (Settings(host=host, data_dir=str(tmp_path / "data")), None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOST", host)
            patch.setenv("RBAC_DATA_DIR", str(tmp_path / "data"))
            with pytest.raises(SystemExit, match="HOST must be an address of this machine"):
                serve.serve(create_app, given)

    assert list(tmp_path.iterdir()) == []


def test_settings_that_are_refused_write_no_secret(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="RBAC_LOG_LEVEL"):
        serve.serve(create_app, Settings(log_level="chatty", data_dir=str(tmp_path / "data")))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("host", "issuer", "warned"),
    [
        ("0.0.0.0", "", True), ("192.0.2.1", "http://localhost:8000", True), ("::", "http://[::1]:8000", True), ("192.0.2.1", "", False),
        ("0.0.0.0", "https://rbac.example.com", False), ("127.0.0.1", "", False), ("localhost", "", False), ("::1", "", False),
    ],
)  # fmt: skip
def test_an_issuer_that_other_machines_cannot_reach_is_warned_of(
    capsys: pytest.CaptureFixture[str], host: str, issuer: str, warned: bool
) -> None:
    serve._welcome(Settings(host=host, issuer=issuer), Prepared())

    assert ("Set RBAC_ISSUER to the address" in capsys.readouterr().out) == warned
