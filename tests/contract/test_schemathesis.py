"""Schemathesis, all phases and all checks, against the running service on both engines at once: few cases of each kind, or many."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cast import PASSWORD
from tests.conftest import ENGINES, Stages
from tests.servers.running import ADMIN, ROOT, running_service
from tests.sizes import sized

pytestmark = pytest.mark.outside

HERE = Path(__file__).parent
EXAMPLES, AT_LEAST, PATIENCE = sized(
    (2, 1000, 900), (60, 10_000, 4 * 3600)
)  # of each operation; cases; seconds

# The fuzzer learns Alice's name from the answers and guesses passwords for it; a locked Alice would end the run.
PATIENT = {
    "RBAC_SIGNIN_FREE_FAILURES": "100",
    "RBAC_SIGNIN_LOCK_FAILURES": "100",
    "RBAC_SIGNIN_LOCK_SECONDS": "1",
}


class Campaign:
    """One run of Schemathesis against one service."""

    def __init__(self, address: str, folder: Path) -> None:
        self._report = folder / "report.json"
        self._output = folder / "output.txt"
        command = [
            *(sys.executable, "-m", "schemathesis.cli", f"--config-file={HERE / 'schemathesis.toml'}"),
            *("run", f"{address}/openapi.json", "--no-color", "--max-examples", str(EXAMPLES)),
            *("--report", "json", "--report-json-path", str(self._report)),
        ]
        environment = {
            # the service is measured, not its client: tracing that takes time and covers nothing
            **{name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")},
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.contract.schemathesis_hooks",
            "FUZZ_USERNAME": ADMIN,
            "FUZZ_PASSWORD": PASSWORD,
        }
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
            )

    def finish(self) -> tuple[dict[str, Any], str]:
        """The report, and what was printed for people."""
        self._process.wait(timeout=PATIENCE)
        printed = self._output.read_text()
        assert self._report.exists(), printed
        return json.loads(self._report.read_text()), printed

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def campaigns(stages: Stages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Campaign]]:
    """Both at the same time, since most of a run is waiting for the other side."""
    with ExitStack() as stack:
        found = {}
        for engine in ENGINES:
            service = running_service(stages.empty_database(engine, "fuzzed"), **PATIENT)
            address = stack.enter_context(service)
            found[engine] = Campaign(address, tmp_path_factory.mktemp(engine))
            stack.callback(found[engine].stop)
        yield found


@pytest.mark.soak
def test_no_input_breaks_the_service_or_its_promises(campaigns: dict[str, Campaign], engine: str) -> None:
    report, printed = campaigns[engine].finish()

    assert not report["failures"], printed
    assert not report["errors"], printed
    assert report["operations"]["tested"] == report["operations"]["total"]
    assert {phase["status"] for phase in report["phases"].values()} == {"success"}
    assert report["test_cases"]["generated"] > AT_LEAST
