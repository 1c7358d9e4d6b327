"""Finds the package's files: migrations, seed data, assets of the documentation page, and the metadata."""

from __future__ import annotations

import tomllib
from importlib import metadata
from importlib.resources import files
from pathlib import Path


def resource(*path: str) -> Path:
    """Return a file or folder below ``rbac_api``, in a clone or in an installation."""
    return Path(str(files("rbac_api"))).joinpath(*path)


def release() -> str:
    """Return the version from the metadata, or from its source in a clone that is not installed."""
    try:
        return metadata.version("rbac-api")
    except metadata.PackageNotFoundError:
        project = tomllib.loads(resource("..", "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return str(project["version"])
