"""Whatever its work raises, a background thread goes on: it logs, counts, and does the work the next time."""

from __future__ import annotations

import ast
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from rbac_api.capabilities.audit import publisher
from rbac_api.capabilities.operation import retention
from rbac_api.database import freshness
from rbac_api.guard.incidents import repetitions
from rbac_api.guard.revocation import redis_publisher
from rbac_api.guard.state import uses
from rbac_api.observability import background, buffered_stderr
from rbac_api.trail import sequencer
from rbac_api.web.server import middleware
from tests.builders import Stage
from tests.cast import DAVE
from tests.patience import eventually

ROOT = Path(__file__).parents[2]
OF_THE_VERIFIER = "rbac-verifier"  # tests/verifier/test_verifier.py


class Broken:
    """Fails in an unexpected way the first time it is called."""

    def __init__(self, right: Callable[..., Any]) -> None:
        self.right, self.calls = right, 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls == 1:
            raise MemoryError("unexpected")
        return self.right(*arguments, **named)

    @property
    def went_on(self) -> bool:
        return self.calls > 1


@contextmanager
def checkpoints(stage: Stage, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Broken]:
    broken = Broken(publisher.stored_head)
    monkeypatch.setattr(publisher, "stored_head", broken)
    with running(publisher, monkeypatch):
        thread = publisher.CheckpointPublisher(replace(stage.settings, data_dir=str(folder)), stage.database)
        thread.start()
        yield broken
        assert eventually(lambda: any((folder / publisher.FOLDER).glob("*.txt")))
        thread.close()


@contextmanager
def retained(stage: Stage, monkeypatch: pytest.MonkeyPatch, _folder: Path) -> Iterator[Broken]:
    """The step that fails keeps none of the next from its work."""
    broken, last = Broken(lambda *_: 0), Broken(lambda *_: 0)
    last.calls = 1
    monkeypatch.setattr(retention, "STEPS", {"sessions": broken, "revocations": last})
    with running(retention, monkeypatch):
        thread = retention.Retention(stage.settings, stage.database)
        thread.start()
        yield broken
        assert eventually(lambda: last.calls >= broken.calls)
        thread.close()


@contextmanager
def retention_as_a_whole(stage: Stage, monkeypatch: pytest.MonkeyPatch, _folder: Path) -> Iterator[Broken]:
    thread = retention.Retention(stage.settings, stage.database)
    broken = Broken(thread.delete_old)
    monkeypatch.setattr(thread, "delete_old", broken)
    with running(retention, monkeypatch):
        thread.start()
        yield broken
        thread.close()


@contextmanager
def sequenced(stage: Stage, monkeypatch: pytest.MonkeyPatch, _folder: Path) -> Iterator[Broken]:
    """It does not wait for another event before it tries again."""
    broken = Broken(sequencer.drain_outbox)
    monkeypatch.setattr(sequencer, "drain_outbox", broken)
    monkeypatch.setattr(sequencer, "RETRY_SECONDS", 0.01)
    thread = sequencer.Sequencer(stage.database)
    thread.start()
    yield broken
    thread.close()


@contextmanager
def followed(stage: Stage, monkeypatch: pytest.MonkeyPatch, _folder: Path) -> Iterator[Broken]:
    broken = Broken(freshness.keeps_its_session)
    monkeypatch.setattr(freshness, "keeps_its_session", broken)
    detector = freshness.open_change_detector(stage.database)
    detector.unchanged()
    yield broken
    assert eventually(lambda: detector.detect(lambda: 0) or detector.unchanged())
    detector.close()


@contextmanager
def published(stage: Stage, monkeypatch: pytest.MonkeyPatch, _folder: Path) -> Iterator[Broken]:
    broken = Broken(redis_publisher.queries.find_newest_revocation)
    monkeypatch.setattr(redis_publisher.queries, "find_newest_revocation", broken)
    monkeypatch.setattr(redis_publisher, "POLL_SECONDS", 0.01)
    settings = replace(stage.settings, redis_url="redis://127.0.0.1:1/0")
    thread = redis_publisher.RedisPublisher(settings, stage.database)
    thread.start()
    yield broken
    thread.close()


@contextmanager
def repeated(_stage: Stage, monkeypatch: pytest.MonkeyPatch, _folder: Path) -> Iterator[Broken]:
    """The number that could not be written is written later, and keeps no other from being written."""
    written: list[int] = []
    broken = Broken(lambda times: written.append(times) is None)
    monkeypatch.setattr(repetitions, "SWEEP_SECONDS", 0.01)
    counts = repetitions.Repetitions()
    for key in ("one", "two"):
        for _ in range(4):
            counts.count((key,), broken)
    for kept in counts._counted.values():
        kept.until = 0.0
    yield broken
    assert eventually(lambda: sorted(written) == [3, 3])
    counts.close()


@contextmanager
def swept(_stage: Stage, monkeypatch: pytest.MonkeyPatch, _folder: Path) -> Iterator[Broken]:
    monkeypatch.setattr(repetitions, "SWEEP_SECONDS", 0.01)
    counts = repetitions.Repetitions()
    broken = Broken(counts.flush)
    monkeypatch.setattr(counts, "flush", broken)
    counts._begin()
    yield broken
    counts.close()


@contextmanager
def counted(stage: Stage, monkeypatch: pytest.MonkeyPatch, _folder: Path) -> Iterator[Broken]:
    broken = Broken(uses.add_uses)
    monkeypatch.setattr(uses, "add_uses", broken)
    monkeypatch.setattr(uses, "EVERY_SECONDS", 0.01)
    recorder = uses.UseRecorder(stage.database)
    recorder.count(stage.user_id(DAVE), "invoices:read", False)
    recorder.start()
    yield broken
    assert eventually(lambda: not recorder._unwritten)
    recorder.close()


@contextmanager
def logged(_stage: Stage, monkeypatch: pytest.MonkeyPatch, _folder: Path) -> Iterator[Broken]:
    broken = Broken(lambda _line: b"")
    broken.calls = -1  # the first line is written in the request
    monkeypatch.setattr(buffered_stderr, "WRITE_INTERVAL", 3600.0)
    monkeypatch.setattr(buffered_stderr, "MAX_DELAY", 0.01)
    lines = buffered_stderr.BufferedLines[int](broken)
    lines.put(1)
    broken.calls = 0
    lines.put(2)
    assert eventually(lambda: broken.calls)
    assert eventually(lambda: not lines._left.is_set())
    lines.put(3)
    yield broken


@contextmanager
def tallied(_stage: Stage, monkeypatch: pytest.MonkeyPatch, _folder: Path) -> Iterator[Broken]:
    monkeypatch.setattr(middleware, "FOLD_SECONDS", 0.01)
    tally = middleware.RequestTally()
    broken = Broken(tally.fold)
    monkeypatch.setattr(tally, "fold", broken)
    tally.note(("GET", "/livez", 200), 0.001)
    yield broken
    tally.close()


@contextmanager
def running(module: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A thread that runs once an hour runs at once."""
    monkeypatch.setattr(module, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.01)
    yield


BOTH, POSTGRESQL = ("sqlite", "postgresql"), ("postgresql",)
CASES: tuple[tuple[str, Callable[..., Any], tuple[str, ...]], ...] = (
    ("rbac-checkpoints", checkpoints, BOTH),
    ("rbac-retention", retained, BOTH),
    ("rbac-retention", retention_as_a_whole, BOTH),
    ("rbac-sequencer", sequenced, POSTGRESQL),  # there is none on SQLite
    ("rbac-follower", followed, POSTGRESQL),
    ("rbac-publisher", published, BOTH),
    ("rbac-repeated", repeated, ("sqlite",)),  # no SQL
    ("rbac-repeated", swept, ("sqlite",)),
    ("rbac-uses", counted, BOTH),
    ("rbac-log", logged, ("sqlite",)),
    ("rbac-tally", tallied, ("sqlite",)),
)


def started() -> set[str]:
    """The names of all threads that the code starts, ``?`` for one without a name."""
    trees = [
        ast.parse(path.read_text(encoding="utf-8"))
        for package in ("rbac_api", "rbac_verifier")
        for path in (ROOT / package).rglob("*.py")
    ]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    threads = [call for call in calls if ast.unparse(call.func) in ("threading.Thread", "Thread")]
    named = [{word.arg: ast.unparse(word.value) for word in call.keywords} for call in threads]
    return {words.get("name", "?").strip("'") for words in named}


def test_every_thread_of_the_service_is_among_the_cases() -> None:
    named = {name for name, _, _ in CASES}

    assert started() == named | {OF_THE_VERIFIER}
    assert {f"rbac-{name}" for name in background.THREADS} == named


@pytest.mark.parametrize(
    ("engine", "name", "begin"),
    [
        pytest.param(engine, name, begin, id=f"{begin.__name__}-{engine}")
        for name, begin, engines in CASES
        for engine in engines
    ],
)
def test_a_thread_whose_work_fails_logs_counts_and_goes_on(
    stage: Stage, name: str, begin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    thread = name.removeprefix("rbac-")
    failures = background.FAILURES.labels(thread)._value
    before, others = failures.get(), set(threading.enumerate())

    with capture_logs() as lines, begin(stage, monkeypatch, tmp_path) as broken:
        assert eventually(lambda: broken.went_on)
        mine = {one.name for one in set(threading.enumerate()) - others if one.is_alive()}

    assert (failures.get() - before, mine) == (1, {name})
    [line] = [line for line in lines if line["event"] == "background.failed"]
    assert (line["log_level"], line["thread"]) == ("error", thread)
    assert isinstance(line["exc_info"], MemoryError)


def test_a_log_that_cannot_be_written_is_counted_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = background.FAILURES.labels("log")._value
    before = failures.get()
    monkeypatch.setattr(background, "_log", None)

    background.report_failure("log", OSError(28, "No space left on device"))

    assert failures.get() == before + 1


def test_a_folder_that_cannot_be_read_keeps_no_checkpoint_from_being_posted(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A component of the path that is too long: ``stat`` raises what is not one of "it is not there"."""
    posted: list[bytes] = []
    monkeypatch.setattr(publisher, "post", lambda _url, note: posted.append(note))
    folder = tmp_path / ("x" * 300)
    settings = replace(stage.settings, data_dir=str(folder), checkpoint_url="https://notary.example")

    publisher.CheckpointPublisher(settings, stage.database).publish()

    assert len(posted) == 1
