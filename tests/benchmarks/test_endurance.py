"""The long load runs for some seconds and is judged line by line, and what grows is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import endurance

pytestmark = pytest.mark.outside

STEADY = endurance.Sample(0, 10, 0, {1: 80_000, 2: 90_000}, {1: 1, 2: 1}, 30, 20, waiting=3, events=9)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_long_load_is_judged_line_by_line(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    size = ["--minutes", "0.2", "--every", "1", "--clients", "8", "--workers", "1"]
    endurance.main(["--engine", engine, *size])

    samples, verdict = capsys.readouterr().out.split("| verdict | | |")
    assert len(samples.splitlines()) > 4
    lines = [line.strip("| ").split(" | ") for line in verdict.splitlines()[2:]]
    assert len(lines) == 7 + endurance.NODES[engine]
    grown = f"memory grows by at most {endurance.GROWTH - 1:.0%}"  # which it does while caches are filled
    assert [line for line in lines if line[-1] != "yes" and line[0] != grown] == []


def refused(samples: list[endurance.Sample]) -> list[str]:
    return [line.what for line in endurance.stays_flat(samples) if not line.holds]


def test_what_grows_is_refused() -> None:
    grown = replace(STEADY, resident={1: 80_000, 2: 95_000})
    full, anew = replace(STEADY, waiting=500), replace(STEADY, resident={1: 80_000, 3: 90_000})

    assert refused([STEADY] * 12) == []
    assert refused([STEADY] * 6 + [grown] * 6) == ["memory grows by at most 5%"]
    assert refused([STEADY] * 6 + [full] * 6) == ["the outbox does not grow"]
    assert refused([STEADY] * 11 + [anew]) == ["no worker was replaced"]
