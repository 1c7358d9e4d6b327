"""Pictures can be read: nothing overlaps or stands outside, no arrow runs over a box, and texts keep what tells them apart."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from types import SimpleNamespace
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest

from rbac_api.capabilities.role_graph.pictures import DASHED
from rbac_api.capabilities.role_graph.pictures import diagram_of as roles_of
from rbac_api.capabilities.sessions.pictures import timeline_of
from rbac_api.formats.diagram import Arrow, Diagram, Node
from rbac_api.formats.svg import MAX_CHARACTERS, to_svg

SVG = "{http://www.w3.org/2000/svg}"
NARROW, WIDE = 360, 1280  # pixels: what a telephone, and what a laptop shows without scrolling sideways
NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
ADDRESSES = ("192.0.2.7", "2001:db8:85a3:8d3:1319:8a2e:370:7348", None)
Point = tuple[float, float]


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def around(self, point: Point) -> bool:
        """Whether a point is inside, not on the edge."""
        return self.left + 0.5 < point[0] < self.right - 0.5 and self.top + 0.5 < point[1] < self.bottom - 0.5


class Drawn:
    """A picture as it is seen."""

    def __init__(self, diagram: Diagram) -> None:
        root = ElementTree.fromstring(to_svg(diagram))  # noqa: S314  our own picture
        self.width, self.height = float(root.attrib["width"]), float(root.attrib["height"])
        self.boxes = [_box(found) for found in root.iter(f"{SVG}rect")]
        self.texts = [found.text or "" for found in root.iter(f"{SVG}text")]
        self.titles = [found.text or "" for found in root.iter(f"{SVG}title")]
        marker = len(list(root.iter(f"{SVG}marker")))
        self.ways = [list(_points(found.attrib["d"])) for found in list(root.iter(f"{SVG}path"))[marker:]]

    def faults(self) -> Iterator[str]:
        for one, other in combinations(self.boxes, 2):
            if (
                one.left < other.right > other.left < one.right
                and one.top < other.bottom > other.top < one.bottom
            ):
                yield f"{one} overlaps {other}"
        corners = [corner for box in self.boxes for corner in (box[:2], box[2:])]
        for x, y in [*corners, *(point for way in self.ways for point in way)]:
            if not (0 <= x <= self.width and 0 <= y <= self.height):
                yield f"({x}, {y}) is outside"
        for way in self.ways:
            yield from (f"an arrow crosses {box}" for box in self.boxes if any(map(box.around, way)))


def _box(found: ElementTree.Element) -> Box:
    x, y, width, height = (float(found.attrib[name]) for name in ("x", "y", "width", "height"))
    return Box(x, y, x + width, y + height)


def _points(way: str) -> Iterator[Point]:
    """Points along a line, close enough to each other to meet a box."""
    here: Point = (0.0, 0.0)
    for command, numbers in re.findall(r"([MLC]) ([-\d. ]+)", way):
        values = list(map(float, numbers.split()))
        ends = [(values[at], values[at + 1]) for at in range(0, len(values), 2)]
        for step in range(1, 51):
            yield _between([here, *ends], step / 50) if command != "M" else ends[0]
        here = ends[-1]


def _between(points: list[Point], share: float) -> Point:
    """De Casteljau's algorithm."""
    while len(points) > 1:
        points = [(a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])) for a, b in pairwise(points)]
    return points[0]


def of_names(names: Iterable[str], edges: Iterable[tuple[str, str]], *, downwards: bool = False) -> Diagram:
    nodes = tuple(Node(name, "role", (name,) * (len(name) % 4 + 1), name) for name in names)
    return Diagram("Made", nodes, tuple(Arrow(one, other, "to") for one, other in edges), downwards)


def of_a_user_with(number: int) -> Diagram:
    """Every fourth role is to be activated, every third inherits the first; names differ in their last letters."""
    names = [f"regional-controller-of-the-subsidiary-in-the-north-{n:02}" for n in range(number)]
    roles: list[Any] = [
        {"name": name, "permissions": ["a:b"], "requires_mfa": n % 5 == 0} for n, name in enumerate(names)
    ]
    held: list[Any] = [
        {
            "role": name,
            "domain": "root",
            "starts_at": NOW - timedelta(days=9),
            "expires_at": None,
            "mode": "eligible" if n % 4 == 0 else "active",
        }
        for n, name in enumerate(names)
    ]
    edges: list[Any] = [{"senior": name, "junior": names[0]} for name in names[3::3]]
    user: Any = {"id": "1", "username": "maximiliane.von-der-heyden-oberlaender"}
    return roles_of({"roles": roles, "inheritance": edges, "user": user, "assignments": held})


def of_a_session_with(rotations: int, addresses: tuple[str | None, ...] = ADDRESSES) -> Diagram:
    """Twenty from each address in turn, then from another each time."""
    turn = [n // 20 if n < 40 else n for n in range(rotations)]
    tokens: list[Any] = [
        SimpleNamespace(
            generation=n + 2, issued_at=NOW + timedelta(minutes=9 * n), ip=addresses[at % len(addresses)]
        )
        for n, at in enumerate(turn)
    ]
    session: Any = {
        "user": {"username": "ewa.dabrowska"},
        "created_at": NOW,
        "ip": addresses[0],
        "amr": ["pwd", "otp"],
        "ended_at": NOW + timedelta(hours=9),
        "end_reason": "refresh-reuse",
    }
    return timeline_of(session, tokens, more=False)


@pytest.mark.parametrize("downwards", [False, True])
def test_no_arrow_crosses_a_box_whatever_the_graph(downwards: bool) -> None:
    for seed in range(60):
        chance = random.Random(seed)
        names = [f"r{number}" * chance.randint(1, 9) for number in range(chance.randint(1, 30))]
        pairs = list(combinations(names, 2))
        edges = chance.sample(pairs, min(len(pairs), chance.randint(0, 50)))

        assert list(Drawn(of_names(names, edges, downwards=downwards)).faults()) == [], seed


@pytest.mark.parametrize("number", [0, 1, 5, 40, 200])
def test_a_user_with_many_roles_can_be_read(number: int) -> None:
    drawn = Drawn(of_a_user_with(number))

    assert list(drawn.faults()) == []
    assert drawn.width <= WIDE
    assert drawn.height <= 100 * (number + 2)
    assert (DASHED in drawn.texts) == (number > 0)
    shown = [text for text in drawn.texts if text.startswith("regional")]
    assert len(set(shown)) == len(shown) == number
    assert all(len(text) <= MAX_CHARACTERS for text in shown)


@pytest.mark.parametrize("rotations", [0, 1, 60, 300])
def test_a_session_with_many_refreshes_fits_a_narrow_screen(rotations: int) -> None:
    diagram = of_a_session_with(rotations)
    drawn = Drawn(diagram)

    assert list(drawn.faults()) == []
    assert drawn.width <= NARROW
    assert drawn.height <= 120 * len(diagram.nodes)
    if rotations >= 60:
        assert {address for address in ADDRESSES if address} <= set(drawn.texts)


def test_an_address_that_was_erased_is_said_in_words() -> None:
    drawn = Drawn(of_a_session_with(3, (None,)))

    assert "ewa.dabrowska signed in at 2026-11-30T09:00:00Z from no address with pwd and otp" in drawn.titles
    assert not [text for text in (*drawn.titles, *drawn.texts) if "None" in text]
