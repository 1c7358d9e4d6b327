"""The files that others than the test suite read (workflow, forms, hooks, release steps) name what is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def read(name: str) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return found


def test_the_workflow_checks_every_python_that_the_package_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {one.rpartition(" ")[2] for one in project["classifiers"] if re.search(r"Python :: 3\.\d+$", one)}

    [job] = read(".github/workflows/check.yaml")["jobs"].values()

    assert set(job["strategy"]["matrix"]["python"]) == named
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make check PYTHON=python"]


def test_the_workflow_may_only_read() -> None:
    assert read(".github/workflows/check.yaml")["permissions"] == {"contents": "read"}


@pytest.mark.parametrize(
    "form", [form for form in FORMS if form.name != "config.yml"], ids=lambda path: path.name
)
def test_a_form_has_what_a_form_needs(form: Path) -> None:
    content = yaml.safe_load(form.read_text(encoding="utf-8"))
    fields = [part for part in content["body"] if part["type"] != "markdown"]

    assert {"name", "description", "body"} <= set(content)
    assert len({part["id"] for part in fields}) == len(fields)
    assert all(part["attributes"]["label"] for part in fields)


@pytest.mark.parametrize(
    "name",
    ["RELEASING.md", "CONTRIBUTING.md", ".github/pull_request_template.md", ".github/workflows/check.yaml"],
)
def test_every_target_of_make_that_is_named_exists(name: str) -> None:
    named = set(re.findall(r"\bmake ([a-z]+)\b(?=[`\s]|$)", (ROOT / name).read_text(encoding="utf-8")))

    assert named
    assert named <= TARGETS


def test_the_hooks_run_what_is_in_the_repository() -> None:
    [local] = read(".pre-commit-config.yaml")["repos"]

    assert local["repo"] == "local"
    for hook in local["hooks"]:
        words = hook["entry"].split()
        assert words[:2] == [".venv/bin/python", "-m"]
        assert [word for word in words if word.endswith(".py") and not (ROOT / word).exists()] == []


def test_the_steps_of_a_release_name_files_that_are_there() -> None:
    named = re.findall(r"`([\w/.-]+\.(?:toml|md|py))`", (ROOT / "RELEASING.md").read_text(encoding="utf-8"))

    assert len(named) > 3
    assert [name for name in named if not (ROOT / name).exists()] == []
