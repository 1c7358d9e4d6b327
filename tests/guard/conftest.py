"""Fixtures for the guard: a stage per signing algorithm, and further nodes on the stage's database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rbac_api.factory import close_app, create_app
from tests.builders import Stage, raise_curtain
from tests.contract.answers import AnswerChecker

StageFor = Callable[[str], Stage]
OpenNode = Callable[..., Stage]


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


@pytest.fixture
def node(stage: Stage) -> Iterator[OpenNode]:
    """``node(signing_algorithm="ES256")``: one more application on the stage's database, with settings of its own."""
    with ExitStack() as stack:

        def open_node(**changes: Any) -> Stage:
            settings = replace(stage.settings, **changes)
            app = create_app(settings)
            stack.callback(close_app, app)
            return Stage(stage.engine, settings, app, AnswerChecker(app))

        yield open_node
