"""Lines of the log, alone and in a crowd: none is lost, none is torn."""

import io
import sys
import threading

import pytest

from rbac_api.observability.buffered_stderr import MAX_WRITE_BYTES, BufferedLines
from tests.patience import eventually


class Pipe(io.BytesIO):
    """Standard error that remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    @property
    def buffer(self) -> "Pipe":
        return self

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.pieces.append(bytes(data))
        return len(data)


def in_place_of_standard_error(monkeypatch: pytest.MonkeyPatch) -> Pipe:
    """Not a fixture: pytest puts its own back between setting up and calling."""
    pipe = Pipe()
    monkeypatch.setattr(sys, "stderr", pipe)
    return pipe


def test_a_line_that_comes_alone_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = in_place_of_standard_error(monkeypatch)

    BufferedLines(lambda line: b"%d\n" % line["n"]).put({"n": 1})

    assert pipe.pieces == [b"1\n"]


def test_lines_that_come_together_are_all_written_in_order_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = in_place_of_standard_error(monkeypatch)
    lines = BufferedLines(lambda line: b"%0300d\n" % line["n"])

    for number in range(100):
        lines.put({"n": number})
    assert eventually(lambda: sum(map(len, pipe.pieces)) >= 100 * 301)

    assert [int(line) for line in b"".join(pipe.pieces).splitlines()] == list(range(100))
    assert all(piece.endswith(b"\n") and len(piece) <= MAX_WRITE_BYTES for piece in pipe.pieces)


def test_a_second_crowd_is_looked_after_by_the_same_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, before = in_place_of_standard_error(monkeypatch), set(threading.enumerate())
    lines = BufferedLines(lambda line: b"%d\n" % line["n"])

    for crowd in (1, 2):
        for number in range(100):
            lines.put({"n": number})
        assert eventually(
            lambda crowd=crowd: not lines._left.is_set() and b"".join(pipe.pieces).count(b"\n") >= 100 * crowd
        )

    assert [int(line) for line in b"".join(pipe.pieces).splitlines()] == [*range(100)] * 2
    assert [thread.name for thread in threading.enumerate() if thread not in before] == ["rbac-log"]


def test_where_nothing_waits_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = in_place_of_standard_error(monkeypatch)

    BufferedLines(lambda line: b"%d\n" % line["n"]).write()

    assert pipe.pieces == []
