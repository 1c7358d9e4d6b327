"""Draws a diagram as SVG: legible in light and dark, with words for screen readers, and without a script.

All text is escaped.  The style is a constant, and ``STYLE_SOURCE`` allows it, and nothing else, under a
Content Security Policy.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from itertools import chain, pairwise
from xml.sax.saxutils import escape, quoteattr

from rbac_api.formats.diagram import Arrow, Diagram, Node, printable
from rbac_api.formats.layout import lay_out

MAX_CHARACTERS = 40  # of a line, as many as an address of IPv6 has; the title has the whole text
_CHARACTER, _LINE, _PADDING = 7.3, 17.0, 9.0  # of the font below, in pixels
_BETWEEN_ROWS, _MARGIN = 12.0, 12.0
# Between layers, more for arrows that go far sideways: how much at least, and at most.
_BETWEEN_LAYERS, _STEEPNESS = {False: (52.0, 170.0), True: (28.0, 90.0)}, 8.0
_STYLE = """
svg{color-scheme:light dark;background:#fff;font:12px ui-monospace,Menlo,Consolas,monospace}
text{fill:#1b1f24;text-anchor:middle}
.note{text-anchor:start}
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


class _Plan:
    """Where everything is, in pixels.

    Each layer is a band with the boxes at its beginning. An arrow is straight within bands, where it has a
    row of its own, and bends between them, where there are no boxes: so it crosses none.
    """

    def __init__(self, diagram: Diagram) -> None:
        layout = lay_out([node.id for node in diagram.nodes], [(a.source, a.target) for a in diagram.arrows])
        self._downwards, self._places = diagram.downwards, layout.places
        self._passed = {
            (a.source, a.target): [
                layout.places[a.source], *layout.bends.get((a.source, a.target), ()), layout.places[a.target]
            ]
            for a in diagram.arrows
        }  # fmt: skip
        self._sizes = {node.id: _size(node) for node in diagram.nodes}
        across = 0 if self._downwards else 1
        self._step = max((size[across] for size in self._sizes.values()), default=0) + _BETWEEN_ROWS
        self._bands = self._layers()

    def box(self, name: str) -> _Box:
        """Return the place of a node."""
        layer, row = self._places[name]
        begin, length = self._bands[layer][0], self._sizes[name][self._along]
        return _Box(*self._point(begin + length / 2, row), *self._sizes[name])

    def way(self, arrow: Arrow) -> list[Point]:
        """Return the points of an arrow: straight to the second, bent to the third, and so on by turns."""
        passed = self._passed[arrow.source, arrow.target]
        begin = self._bands[passed[0][0]][0] + self._sizes[arrow.source][self._along]
        points = [self._point(begin, passed[0][1])]
        for (layer, row), (following, next_row) in pairwise(passed):
            points.append(self._point(self._bands[layer][1], row))
            points.append(self._point(self._bands[following][0], next_row))
        return points

    def size(self) -> Point:
        """Return the size of the picture."""
        places = chain(self._places.values(), *self._passed.values())
        rows = max((row for _, row in places), default=0) + 1
        length = self._bands[-1][1] if self._bands else _MARGIN
        return self._point(length + _MARGIN, rows + _MARGIN / self._step - 0.5)

    @property
    def _along(self) -> int:
        return 1 if self._downwards else 0

    def _point(self, along: float, row: float) -> Point:
        across = _MARGIN + self._step * (row + 0.5)
        return (across, along) if self._downwards else (along, across)

    def _layers(self) -> list[Point]:
        """Return where each band begins and ends."""
        thick: dict[int, float] = defaultdict(float)
        for name, (layer, _) in self._places.items():
            thick[layer] = max(thick[layer], self._sizes[name][self._along])
        sideways: dict[int, float] = defaultdict(float)  # the furthest that an arrow of the layer goes
        for passed in self._passed.values():
            for (layer, row), (_, next_row) in pairwise(passed):
                sideways[layer] = max(sideways[layer], abs(next_row - row) * self._step)
        least, most = _BETWEEN_LAYERS[self._downwards]
        bands, begin = [], _MARGIN
        for layer in range(max(thick, default=-1) + 1):
            bands.append((begin, begin + thick[layer]))
            begin += thick[layer] + min(max(sideways[layer] / _STEEPNESS, least), most)
        return bands


def to_svg(diagram: Diagram) -> str:
    """Return the picture as an SVG document."""
    plan = _Plan(diagram)
    width, height = plan.size()
    noted = _note(diagram.note, height)
    width, height = max(width, noted[1]), height + (_LINE if noted[0] else 0)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
        f' viewBox="0 0 {width:.0f} {height:.0f}" role="graphics-document document"'
        f" aria-label={_quoted(diagram.title)}>"
    )
    parts = [
        head,
        f"<title>{_escaped(diagram.title)}</title><style>{_STYLE}</style>{_MARKER}",
        *(_arrow(arrow, plan.way(arrow), downwards=diagram.downwards) for arrow in diagram.arrows),
        *(_node(node, plan.box(node.id)) for node in diagram.nodes),
        noted[0],
        "</svg>\n",
    ]
    return "".join(parts)


def _note(text: str, top: float) -> tuple[str, float]:
    """Return a line below the picture, and the width that it needs."""
    if not text:
        return "", 0
    place = f'x="{_MARGIN:.0f}" y="{top + _LINE / 4:.1f}"'
    return f'<text class="note" {place}>{_escaped(text)}</text>', len(text) * _CHARACTER + 2 * _MARGIN


def _size(node: Node) -> Point:
    longest = max(sum(map(_columns, _shortened(line))) for line in node.lines)
    return longest * _CHARACTER + 2 * _PADDING, len(node.lines) * _LINE + _PADDING


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _shortened(line: str) -> str:
    """Leave out the middle: names that are long often differ at their ends."""
    half = MAX_CHARACTERS // 2
    return line if len(line) <= MAX_CHARACTERS else f"{line[:half]}…{line[1 - half :]}"


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


def _arrow(arrow: Arrow, points: list[Point], *, downwards: bool) -> str:
    """Return a line through the points that begins, passes and ends in the reading direction."""
    drawn = [f"M {points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x, y), (next_x, next_y) in zip(points[1::2], points[2::2], strict=True):
        half_x, half_y = (0.0, (next_y - y) / 2) if downwards else ((next_x - x) / 2, 0.0)
        curve = (x + half_x, y + half_y, next_x - half_x, next_y - half_y, next_x, next_y)
        drawn.append(f"L {x:.1f} {y:.1f} C " + " ".join(f"{number:.1f}" for number in curve))
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
