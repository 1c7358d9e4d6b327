"""Whatever the repository refers to can be opened by its reader: no paper, plan or machine of its authors is named."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.outside

ROOT = Path(__file__).resolve().parents[2]
BINARY = {".png", ".woff2", ".gz", ".ico", ".db"}
MADE = re.compile(
    r"\.lock$|package-lock\.json$|docs_assets/|tests/migrations/frozen/|asvs_items\.txt$|^LICENSE$"
)
CODE = r"[A-P]\d{1,2}"
ELSEWHERE = {
    "papers of the authors": r"\bthe (?:product's )?card\b|\bHOUSE\b|\bthe mission\b|\bDone-when\b|\bthe brief\b|\bredesign\.md\b",
    "numbers of a list that is not here": rf" \({CODE}(?:[–-]{CODE}|, {CODE})*\)|\bissue \d+\b|\bM\d\b(?!\w)",
    "folders of one machine": r"(?<![\w.])/(?:work|root|home/\w+)/",
    "hosts of package registries": r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|\bindex-url\s*=",
}
DOCUMENT = re.compile(r"(?<![\w/*])((?:[\w.-]+/)*[\w-]+\.md)\b")


def texts() -> Iterator[tuple[str, str]]:
    """Name and content of every text that is kept in the repository, apart from this file and from what programs make."""
    done = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in done.stdout.splitlines():
        path = ROOT / name
        wanted = path.suffix not in BINARY and not MADE.search(name) and path != Path(__file__)
        if wanted and path.is_file():
            yield name, path.read_text(encoding="utf-8")


def lines_with(pattern: str) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(pattern, line)
    ]


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_nothing_is_referred_to_that_a_stranger_cannot_open(kind: str) -> None:
    assert lines_with(ELSEWHERE[kind]) == []


def test_every_document_that_is_named_is_here() -> None:
    known = {name for name, _ in texts()}
    files = {name.rpartition("/")[2] for name in known}
    missing = [
        f"{name}: {named}"
        for name, text in texts()
        for named in DOCUMENT.findall(text)
        if named.rpartition("/")[2] not in files
    ]

    assert missing == []


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("papers of the authors", "Fixed by the product's card: Flask"),
        ("numbers of a list that is not here", '"""Strong tags (H1, H2)."""'),
        ("numbers of a list that is not here", "as in issue 11"),
        ("folders of one machine", "/".join(["cd ", "work", "main"])),
        ("hosts of package registries", ".".join(["https://pypi", "org/simple"])),
    ],
)
def test_such_a_reference_would_be_found(kind: str, line: str) -> None:
    assert re.search(ELSEWHERE[kind], line)
