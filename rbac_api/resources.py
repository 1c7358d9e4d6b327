"""What travels inside the package beside its code: migrations, seed data, assets of the documentation page, and the metadata."""

from __future__ import annotations

import tomllib
from importlib import metadata
from importlib.resources import files
from pathlib import Path


def resource(*path: str) -> Path:
    """A file or folder below ``rbac_api``, in a clone as in an installation."""
    return Path(str(files("rbac_api"))).joinpath(*path)


def release() -> str:
    """The version in the metadata; in a clone that is not installed, in the file that the metadata is made of."""
    try:
        return metadata.version("rbac-api")
    except metadata.PackageNotFoundError:
        project = tomllib.loads(resource("..", "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return str(project["version"])
