"""A rotation that is interrupted: whatever dies, Dave's old token still brings him on, and never are both dead."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import Stage
from tests.capabilities.signin.crowd import answers_to, end_of, lineage, refresh
from tests.capabilities.signin.victim import COMMITTED, POINTS
from tests.cast import DAVE

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parents[3]
FAULTS = (
    "UPDATE ON sessions",
    "UPDATE ON refresh_tokens",
    "INSERT ON refresh_tokens",
    "INSERT ON the trail",
)
TRAIL = {"sqlite": "trail_events", "postgresql": "trail_outbox"}  # what the event is written to first


def test_dave_goes_on_with_his_old_token_wherever_the_service_was_killed(stage: Stage) -> None:
    points = POINTS[stage.engine]
    pairs = [stage.as_(DAVE).tokens for _ in points]
    command = [sys.executable, "-m", "tests.capabilities.signin.victim", stage.settings.database_url]

    killed = subprocess.run(
        [*command, *(pair["refresh_token"] for pair in pairs)], cwd=ROOT, capture_output=True, text=True, check=True
    )  # fmt: skip

    assert killed.stdout.split() == [str(int(signal.SIGKILL))] * len(points), killed.stderr
    for point, pair in zip(points, pairs, strict=True):
        assert len(lineage(stage, pair["session_id"])) == (2 if point in COMMITTED else 1), point
        again = refresh(stage, pair["refresh_token"])
        assert again.status_code == 200, point
        assert answers_to(stage, again.json) == (200, 200), point
        assert lineage(stage, pair["session_id"]) == [(1, True), (2, True), (3, False)], point
    assert len(stage.events("token.rotated")) == 2 * len(points)


@pytest.mark.parametrize("fault", FAULTS)
def test_dave_goes_on_with_his_old_token_after_the_database_failed_at(stage: Stage, fault: str) -> None:
    tokens, fault = stage.as_(DAVE).tokens, fault.replace("the trail", TRAIL[stage.engine])
    break_at(stage, fault)
    failed = stage.app.test_client().post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    mend(stage, fault)

    again = refresh(stage, tokens["refresh_token"])

    assert failed.status_code >= 500
    assert again.status_code == 200
    assert end_of(stage, tokens["session_id"]) is None
    assert lineage(stage, tokens["session_id"]) == [(1, True), (2, False)]


def break_at(stage: Stage, fault: str) -> None:
    """From now on the database refuses that."""
    if stage.engine == "sqlite":
        stage.execute(f"CREATE TRIGGER broken BEFORE {fault} BEGIN SELECT RAISE(ABORT, 'broken'); END")
        return
    raising = "BEGIN RAISE EXCEPTION 'broken'; END"
    stage.execute(
        f"CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS '{raising.replace(chr(39), chr(39) * 2)}'",
        f"CREATE TRIGGER broken BEFORE {fault} FOR EACH ROW EXECUTE FUNCTION broken()",
    )


def mend(stage: Stage, fault: str) -> None:
    """Undo ``break_at``."""
    table = fault.rpartition(" ")[2]
    stage.execute(
        *(
            ["DROP TRIGGER broken"]
            if stage.engine == "sqlite"
            else [f"DROP TRIGGER broken ON {table}", "DROP FUNCTION broken()"]
        )
    )
