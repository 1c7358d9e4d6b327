"""What travels with the package is found in a clone, and one number says which release it is."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from rbac_api.resources import release, resource

ROOT = Path(__file__).parents[1]
RELEASE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.mark.parametrize("folder", ["migrations", "seed_data"])
def test_a_folder_at_the_top_of_the_clone_is_found_in_the_package(folder: str) -> None:
    assert resource(folder).resolve() == ROOT / folder


def test_the_release_is_that_of_the_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: f"7.0 of {name}")

    assert release() == "7.0 of rbac-api"


def test_a_clone_that_is_not_installed_reads_the_release_where_the_metadata_comes_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)

    assert release() == RELEASE


def test_the_installed_release_is_that_of_the_clone() -> None:
    assert release() == RELEASE, "pyproject.toml changed since the clone was installed: run `make test`"
