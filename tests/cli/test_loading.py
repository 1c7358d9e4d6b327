"""Imports happen without the garbage collector, which is then as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from rbac_api.cli.commands import rbac
from rbac_api.cli.loading import without_collection


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.enable()


@pytest.mark.parametrize("collects", [True, False])
def test_an_import_collects_nothing_and_leaves_the_collector_as_it_was(*, collects: bool) -> None:
    if not collects:
        gc.disable()

    with pytest.raises(ImportError), without_collection():
        assert not gc.isenabled()
        raise ImportError

    assert gc.isenabled() is collects


def test_a_command_runs_with_the_collector() -> None:
    assert rbac.get_command(None, "doctor") is not None  # type: ignore[arg-type]  # the group needs no context

    assert gc.isenabled()
