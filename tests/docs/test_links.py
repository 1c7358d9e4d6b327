"""What the documents point to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("docs", "deploy", "examples", ".github")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(path for name in FOLDERS for path in ROOT.glob(f"{name}/**/*.md"))])
DOCUMENTS = [path for path in DOCUMENTS if "node_modules" not in path.parts]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))

    broken = [link for link in links if "://" not in link and not (document.parent / link).exists()]

    assert not broken


def headings(document: Path) -> set[str]:
    """The anchors that a page gets from its headings."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_heading_leads_to_it(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", document.read_text(encoding="utf-8"))

    broken = [
        (page, anchor)
        for page, anchor in links
        if anchor not in headings(document.parent / page if page else document)
    ]

    assert not broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_that_is_named_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    if "\nStatus: superseded" in text:
        return  # what it describes may be gone
    named = re.findall(r"`((?:\w+/)+\w+\.py)`", text)
    bases = (ROOT, ROOT / "rbac_api", ROOT / "rbac_api" / "capabilities", document.parent)

    assert [name for name in named if not any((base / name).exists() for base in bases)] == []


def test_every_heading_that_an_alert_names_exists() -> None:
    files = [path for path in ROOT.glob("deploy/**/*") if path.suffix in {".yaml", ".json"}]
    named = [
        (page, heading.strip())
        for path in files
        for page, heading in re.findall(r"(docs/\w+\.md), ([A-Z][\w ]+)", path.read_text(encoding="utf-8"))
    ]

    assert named
    assert [one for one in named if one[1].lower().replace(" ", "-") not in headings(ROOT / one[0])] == []


@pytest.mark.parametrize("command", ["run", "test", "openapi", "check"])
def test_every_make_target_that_is_named_exists(command: str) -> None:
    assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
