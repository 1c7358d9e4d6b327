"""The wheels, installed where nothing else is: the service serves, and other applications are guarded and verify, without the clone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rbac_api.resources import release
from tests.cast import PASSWORD
from tests.contract.installing import ROOT, Environment, Served, build_wheels, make_environment

pytestmark = pytest.mark.outside

EXAMPLES = ROOT / "examples"
PLANNED = "roles:\n  - name: reader\n    description: Reads the trail.\n    permissions: [audit:read]\n"
QUIET = {"RBAC_ADMIN_PASSWORD": PASSWORD, "RBAC_SEED_EXAMPLE": "off", "RBAC_PASSWORD_COST": "10"}
LOWEST = {"flask": "3.0", "sqlalchemy": "2.0"}
# The exact versions of the lock, or the lowest ones that pyproject.toml allows.
LOCKED = ("--constraints", ROOT / "requirements" / "dev.lock")
VERSIONS: dict[str, tuple[object, ...]] = {
    "locked": LOCKED,
    "lowest": ("--resolution", "lowest-direct", "--no-sources", "-r", ROOT / "pyproject.toml"),
}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module", params=VERSIONS)
def installed(
    request: pytest.FixtureRequest, wheels: Path, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """The service, with what it needs and nothing else."""
    found = make_environment(tmp_path_factory.mktemp(request.param))
    found.install("--find-links", wheels, *VERSIONS[request.param], *wheels.glob("rbac_api-*.whl"))
    if request.param == "lowest":
        listed = found.run(
            "python", "-c", f"from importlib.metadata import version as v; print(*map(v, {[*LOWEST]}))"
        )
        assert all(map(str.startswith, listed.stdout.split(), LOWEST.values())), listed
    return found


@pytest.fixture(scope="module")
def service(installed: Environment) -> Iterator[Served]:
    """`rbac-api serve`, in an empty folder."""
    found = installed.serve("/readyz", "rbac-api", "serve", "--port", "{port}", **QUIET)
    yield found
    found.process.end()


@pytest.fixture(scope="module")
def admin(service: Served) -> str:
    login = {"username": "admin", "password": PASSWORD}
    return str(service.post("/v1/auth/login", json=login).json()["access_token"])


@pytest.fixture(scope="module")
def elsewhere(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The verifier, with two frameworks and nothing of the service."""
    found = make_environment(tmp_path_factory.mktemp("elsewhere"))
    [wheel] = wheels.glob("rbac_verifier-*.whl")
    found.install(*LOCKED, f"rbac-verifier[flask,asgi] @ {wheel.as_uri()}", "fastapi", "uvicorn")
    for framework in ("flask", "fastapi"):
        shutil.copy(EXAMPLES / framework / "app.py", found.work / f"orders_{framework}.py")
    return found


def test_the_wheels_carry_what_they_need_and_not_each_other(wheels: Path) -> None:
    files = {
        wheel.name.partition("-")[0]: {
            name for name in zipfile.ZipFile(wheel).namelist() if "dist-info" not in name
        }
        for wheel in wheels.glob("*.whl")
    }
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    links = {"rbac_api/migrations", "rbac_api/seed_data"}
    left_out = {"rbac_api/capabilities/passwords/COMMON_PASSWORDS.md", "rbac_verifier/pyproject.toml"}
    inside = {"migrations": "rbac_api/migrations", "seed_data": "rbac_api/seed_data"}
    wanted = {
        "/".join([inside.get(top, top), *rest])
        for name in listed
        for top, *rest in [name.split("/")]
        if top in ("rbac_api", "rbac_verifier", *inside) and name not in links | left_out
    }

    assert files["rbac_api"] | files["rbac_verifier"] == wanted
    assert {name.partition("/")[0] for name in files["rbac_api"]} == {"rbac_api"}
    assert {name.partition("/")[0] for name in files["rbac_verifier"]} == {"rbac_verifier"}


def test_both_distributions_are_of_one_release() -> None:
    service, verifier = (
        tomllib.loads((ROOT / place / "pyproject.toml").read_text())["project"]
        for place in ("", "rbac_verifier")
    )

    assert service["version"] == verifier["version"] == release()
    assert f"rbac-verifier[flask]>={release()},<0.2" in service["dependencies"]


def test_an_empty_folder_is_set_up_and_a_policy_planned(installed: Environment, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(PLANNED)
    settings = {"RBAC_DATA_DIR": str(tmp_path / "data"), "RBAC_SEED_EXAMPLE": "off"}

    made = installed.run("rbac-api", "init", **settings)
    planned = installed.run("rbac-api", "policy", "plan", "--file", str(tmp_path / "policy.yaml"), **settings)
    verified = installed.run("flask", "rbac", "audit", "verify", **settings)

    assert (made.returncode, "one-time password" in made.stdout) == (0, True), made.stderr
    assert (planned.returncode, "reader" in planned.stdout) == (2, True), planned.stderr
    assert (verified.returncode, "Intact" in verified.stdout) == (0, True), verified.stderr
    assert installed.run("rbac-api", "--version").stdout == f"rbac-api {release()}\n"


def test_the_service_serves_with_its_page_and_all_it_loads(service: Served, admin: str) -> None:
    page = service.get("/docs")

    assert page.status_code == 200
    for name in ("docs.css", "docs.js", "swagger-ui-bundle.js"):
        [path] = [part for part in page.text.split('"') if part.partition("?")[0].endswith(f"/{name}")]
        assert service.get(path).status_code == 200
    assert service.get("/openapi.json").json()["info"]["version"] == release()
    assert service.get("/v1/users", admin).json()["items"][0]["username"] == "admin"
    assert 'rbac_signins_total{outcome="succeeded"}' in service.get("/metrics", admin).text


@pytest.mark.parametrize("installed", ["locked"], indirect=True)
def test_an_extra_that_is_missing_is_named(installed: Environment) -> None:
    done = installed.run(
        "rbac-api",
        "serve",
        RBAC_DATABASE_URL="postgresql://rbac@127.0.0.1/rbac",
        RBAC_SECRET_KEY="s3cret-" * 6,
    )

    assert done.returncode == 1
    assert "pip install 'rbac-api[postgresql]'" in done.stderr


def test_another_application_is_guarded_by_the_decorators(
    installed: Environment, service: Served, admin: str
) -> None:
    shutil.copy(EXAMPLES / "guarded-flask" / "app.py", installed.work / "invoices.py")
    words = ("--app", "invoices", "run", "--port", "{port}")
    app = installed.serve("/invoices/help", "flask", *words, RBAC_ISSUER=service.url)

    open_, refused, mine = (
        app.get("/invoices/help"),
        app.get("/invoices/mine"),
        app.get("/invoices/mine", admin),
    )
    closing = app.post("/invoices/close-the-year", admin)
    app.process.end()

    assert [answer.status_code for answer in (open_, refused, mine, closing)] == [200, 401, 200, 200]


@pytest.mark.parametrize("installed", ["locked"], indirect=True)
@pytest.mark.parametrize(
    "words",
    [
        ("flask", "--app", "orders_flask", "run", "--port", "{port}"),
        ("uvicorn", "--factory", "orders_fastapi:create_app", "--port", "{port}"),
    ],
    ids=["flask", "fastapi"],
)
def test_the_verifier_alone_knows_callers_of_the_service(
    elsewhere: Environment, service: Served, admin: str, words: tuple[str, ...]
) -> None:
    settings = {"RBAC_ISSUER": service.url, "RBAC_AUDIENCE": "rbac-api"}
    app = elsewhere.serve("/orders", *words, **settings)

    refused, known, lacking = (
        app.get("/orders"),
        app.get("/orders", admin),
        app.post("/orders/7/shipment", admin),
    )
    app.process.end()

    assert (refused.status_code, refused.json()["code"]) == (401, "token.missing")
    assert (known.status_code, known.json()) == (200, {"of": user_of(service, admin)})
    assert (lacking.status_code, lacking.json()["required_role"]) == (403, "clerk")
    assert elsewhere.run("python", "-c", "import rbac_api").returncode != 0


@pytest.mark.parametrize("installed", ["locked"], indirect=True)
def test_the_verifier_alone_verifies_an_export_against_a_checkpoint(
    elsewhere: Environment, service: Served, admin: str
) -> None:
    """Copied to another machine: a checkpoint, the key, and an export."""
    export, checkpoint = elsewhere.work / "export.ndjson", elsewhere.work / "checkpoint.txt"
    checkpoint.write_text(service.get("/v1/audit/checkpoint", admin).text)
    key = service.get("/v1/audit/checkpoint/key").text.strip()
    found, lines = service.get("/v1/audit/events?limit=200&from_seq=1", admin).json(), []
    while True:
        lines += [json.dumps(event) + "\n" for event in found["items"]]
        if not found["next"]:
            break
        found = service.get(f"/v1/audit/events?limit=200&from_seq=1&cursor={found['next']}", admin).json()
    words = ("rbac-verify-audit", "--file", str(export), "--checkpoint", str(checkpoint), "--key", key)

    export.write_text("".join(lines))
    whole = elsewhere.run(*words)
    export.write_text("".join([*lines[:5], lines[6], lines[5], *lines[7:]]))
    moved = elsewhere.run(*words)

    assert (whole.returncode, "are those of the checkpoint" in whole.stdout) == (0, True), whole.stderr
    assert (moved.returncode, "re-ordered" in moved.stdout) == (1, True), moved.stderr


def user_of(service: Served, token: str) -> Any:
    return service.get("/v1/me", token).json()["id"]


USERS = {
    "service": "from rbac_api import create_app, requires\nview = requires('invoices:read')(lambda: create_app().name)\n",
    "verifier": "from rbac_verifier import Verifier\nroles: frozenset[str] = Verifier('http://a', 'b').identify({}).roles\n",
}


@pytest.mark.parametrize("installed", ["locked"], indirect=True)
def test_their_types_are_seen_from_outside(
    installed: Environment, elsewhere: Environment, tmp_path: Path
) -> None:
    for name, environment in (("service", installed), ("verifier", elsewhere)):
        (tmp_path / f"{name}.py").write_text(USERS[name])
        python = str(environment.place / "bin" / "python")
        command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, f"{name}.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.stdout.startswith("Success"), done.stdout + done.stderr
