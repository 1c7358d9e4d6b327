"""Fixtures for the guard: a stage per signing algorithm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.builders import Stage, raise_curtain

StageFor = Callable[[str], Stage]


@pytest.fixture(scope="session")
def stage_for(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StageFor]:
    """``stage_for("ES256")``: a stage on SQLite whose tokens are signed so; built once, reset at each call."""
    built: dict[str, Stage] = {}

    def get(algorithm: str) -> Stage:
        if algorithm not in built:
            folder: Path = tmp_path_factory.mktemp(algorithm)
            url = f"sqlite:///{folder}/own.db"
            built[algorithm] = raise_curtain("sqlite", url, folder, signing_algorithm=algorithm)
        built[algorithm].reset()
        return built[algorithm]

    yield get
    for stage in built.values():
        stage.close()
