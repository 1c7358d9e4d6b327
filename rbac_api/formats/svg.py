"""Draws a diagram as SVG: legible in light and dark, with words for screen readers, and without a script.

All text is escaped.  The style is a constant, and ``STYLE_SOURCE`` allows it, and nothing else, under a
Content Security Policy.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from rbac_api.formats.diagram import Arrow, Diagram, Node, printable
from rbac_api.formats.layout import lay_out

MAX_CHARACTERS = 30  # of a line; the title has the whole text
_CHARACTER, _LINE, _PADDING = 7.3, 17.0, 9.0  # of the font below, in pixels
_BETWEEN_LAYERS, _BETWEEN_ROWS, _MARGIN = 52.0, 12.0, 12.0
_STYLE = """
svg{color-scheme:light dark;background:#fff;font:12px ui-monospace,Menlo,Consolas,monospace}
text{fill:#1b1f24;text-anchor:middle}
rect{fill:#f6f8fa;stroke:#57606a}
path{fill:none;stroke:#57606a;stroke-width:1.3}
marker path{fill:#57606a;stroke:none}
.dashed{stroke-dasharray:5 4}
.account rect{fill:#ddf4ff;stroke:#0550ae}
.permission rect{fill:#dafbe1;stroke:#116329}
.end rect{fill:#ffebe9;stroke:#a40e26}
@media (prefers-color-scheme:dark){
svg{background:#0d1117}
text{fill:#e6edf3}
rect{fill:#161b22;stroke:#8b949e}
path{stroke:#8b949e}
marker path{fill:#8b949e}
.account rect{fill:#0c2d6b;stroke:#79c0ff}
.permission rect{fill:#04260f;stroke:#56d364}
.end rect{fill:#490202;stroke:#ffa198}
}
"""
STYLE_SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
_MARKER = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"'
    ' markerUnits="userSpaceOnUse" orient="auto"><path d="M 0 0 8 4 0 8 z"/></marker></defs>'
)
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Box:
    """A node's middle and size."""

    x: float
    y: float
    width: float
    height: float

    def edge(self, *, downwards: bool, end: bool) -> Point:
        """Return where arrows end (or begin) at it."""
        side = -0.5 if end else 0.5
        if downwards:
            return self.x, self.y + side * self.height
        return self.x + side * self.width, self.y


def to_svg(diagram: Diagram) -> str:
    """Return the picture as an SVG document."""
    boxes, between, size = _places(diagram)
    width, height = size
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
        f' viewBox="0 0 {width:.0f} {height:.0f}" role="graphics-document document"'
        f" aria-label={_quoted(diagram.title)}>"
    )
    parts = [
        head,
        f"<title>{_escaped(diagram.title)}</title><style>{_STYLE}</style>{_MARKER}",
        *_arrows(diagram, boxes, between),
        *(_node(node, boxes[node.id]) for node in diagram.nodes),
        "</svg>\n",
    ]
    return "".join(parts)


def _places(diagram: Diagram) -> tuple[dict[str, _Box], Mapping[tuple[str, str], list[Point]], Point]:
    """Return the boxes, the points that arrows pass, and the size of the picture, in pixels."""
    layout = lay_out([node.id for node in diagram.nodes], [(a.source, a.target) for a in diagram.arrows])
    sizes = {node.id: _size(node) for node in diagram.nodes}
    along, across = (1, 0) if diagram.downwards else (0, 1)
    step = max((size[across] for size in sizes.values()), default=0) + _BETWEEN_ROWS
    thick: dict[int, float] = defaultdict(float)
    for name, (layer, _) in layout.places.items():
        thick[layer] = max(thick[layer], sizes[name][along])
    middles, edge = {}, _MARGIN
    for layer in range(max(thick, default=-1) + 1):
        middles[layer] = edge + thick[layer] / 2
        edge += thick[layer] + _BETWEEN_LAYERS

    def point(place: tuple[int, float]) -> Point:
        there = middles[place[0]], _MARGIN + step * (place[1] + 0.5)
        return (there[1], there[0]) if diagram.downwards else there

    boxes = {name: _Box(*point(place), *sizes[name]) for name, place in layout.places.items()}
    between = {arrow: [point(place) for place in passed] for arrow, passed in layout.bends.items()}
    rows = max((place[1] for place in layout.places.values()), default=0) + 1
    length, breadth = edge - _BETWEEN_LAYERS + _MARGIN, 2 * _MARGIN + step * rows
    return boxes, between, (breadth, length) if diagram.downwards else (length, breadth)


def _size(node: Node) -> Point:
    longest = max(sum(map(_columns, _shortened(line))) for line in node.lines)
    return longest * _CHARACTER + 2 * _PADDING, len(node.lines) * _LINE + _PADDING


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _shortened(line: str) -> str:
    return line if len(line) <= MAX_CHARACTERS else f"{line[: MAX_CHARACTERS - 1]}…"


def _node(node: Node, box: _Box) -> str:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    first = top + _PADDING / 2 + _LINE * 0.75
    texts = (
        f'<text x="{box.x:.1f}" y="{first + number * _LINE:.1f}">{_escaped(_shortened(line))}</text>'
        for number, line in enumerate(node.lines)
    )
    return (
        f'<g class="{node.kind}" role="graphics-symbol img" aria-label={_quoted(node.title)}>'
        f"<title>{_escaped(node.title)}</title>"
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="4"/>'
        f"{''.join(texts)}</g>"
    )


def _arrows(
    diagram: Diagram, boxes: Mapping[str, _Box], between: Mapping[tuple[str, str], list[Point]]
) -> Iterator[str]:
    for arrow in diagram.arrows:
        ends = boxes[arrow.source], boxes[arrow.target]
        points = [
            ends[0].edge(downwards=diagram.downwards, end=False),
            *between.get((arrow.source, arrow.target), ()),
            ends[1].edge(downwards=diagram.downwards, end=True),
        ]
        yield _arrow(arrow, points, downwards=diagram.downwards)


def _arrow(arrow: Arrow, points: list[Point], *, downwards: bool) -> str:
    """Return a curve through the points that begins, passes and ends in the reading direction."""
    drawn = [f"M {points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x, y), (next_x, next_y) in pairwise(points):
        half_x, half_y = (0.0, (next_y - y) / 2) if downwards else ((next_x - x) / 2, 0.0)
        curve = (x + half_x, y + half_y, next_x - half_x, next_y - half_y, next_x, next_y)
        drawn.append("C " + " ".join(f"{number:.1f}" for number in curve))
    dashed = ' class="dashed"' if arrow.line == "dashed" else ""
    return (
        f'<g role="graphics-symbol img" aria-label={_quoted(arrow.title)}>'
        f"<title>{_escaped(arrow.title)}</title>"
        f'<path{dashed} d="{" ".join(drawn)}" marker-end="url(#tip)"/></g>'
    )


def _escaped(text: str) -> str:
    return escape(printable(text))


def _quoted(text: str) -> str:
    return quoteattr(printable(text))
