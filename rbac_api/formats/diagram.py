"""A diagram of things and the arrows between them: what a picture shows, before it is drawn.

``svg`` draws it; ``to_mermaid`` writes it as text for the many tools that draw Mermaid.  Lines of text are
short; a ``title`` says in words what a screen reader reads and a pointer shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from rbac_api import clock
from rbac_api.errors import Invalid

MAX_NODES = 500
Kind = Literal["account", "role", "permission", "event", "end"]
Line = Literal["plain", "dashed"]
# What Mermaid would read as the end of a text, an entity or a directive.
_ESCAPED = str.maketrans({
    "&": "#amp;", "#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;", "\n": " ", ";": "#59;",
    "%": "#37;", "\\": "#92;",
})  # fmt: skip
_SHAPES: dict[Kind, tuple[str, str]] = {
    "account": ('(["', '"])'),
    "role": ('["', '"]'),
    "permission": ('[/"', '"/]'),
    "event": ('["', '"]'),
    "end": ('(["', '"])'),
}


class PictureTooLarge(Invalid):
    """More than a reader can see."""

    code = "picture.too_large"
    title = "The picture would be too large"
    default_detail = (
        f"A picture shows at most {MAX_NODES} things. Ask for a part of it, or for JSON, which has no limit."
    )
    example = {}  # noqa: RUF012


@dataclass(frozen=True, slots=True)
class Node:
    """A thing: its lines of text, and what it is in words."""

    id: str
    kind: Kind
    lines: tuple[str, ...]
    title: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """From one node to another, by their ids."""

    source: str
    target: str
    title: str
    line: Line = "plain"


@dataclass(frozen=True, slots=True)
class Diagram:
    """Nodes, and the arrows between them.  It reads to the right, or downwards; the note is below."""

    title: str
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    downwards: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if len(self.nodes) > MAX_NODES:
            raise PictureTooLarge()


def moment(at: datetime) -> str:
    """Return a time as pictures show it: UTC, to the second (RFC 3339)."""
    return f"{clock.rfc3339(at)[:19]}Z"


def to_mermaid(diagram: Diagram) -> str:
    """Return the diagram as a Mermaid flowchart."""
    numbers = {node.id: f"n{number}" for number, node in enumerate(diagram.nodes)}
    lines = [f"flowchart {'TD' if diagram.downwards else 'LR'}", f"  accTitle: {_text(diagram.title)}"]
    for node in diagram.nodes:
        begin, end = _SHAPES[node.kind]
        lines.append(f"  {numbers[node.id]}{begin}{'<br/>'.join(map(_text, node.lines))}{end}")
    for arrow in diagram.arrows:
        line = "-.->" if arrow.line == "dashed" else "-->"
        lines.append(f"  {numbers[arrow.source]} {line} {numbers[arrow.target]}")
    return "\n".join(lines) + "\n"


def printable(text: str) -> str:
    """Return the text with a space in place of what cannot be printed, and XML 1.0 could not hold."""
    return "".join(character if character.isprintable() else " " for character in text)


def _text(text: str) -> str:
    return printable(text).translate(_ESCAPED)
