"""A checkpoint a day: written once, posted where the operator wants it, and no failure stops anything."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from prometheus_client import REGISTRY
from time_machine import Traveller

from rbac_api import clock
from rbac_api.capabilities.audit import posting, publisher
from rbac_api.capabilities.audit.evidence import verification_key
from rbac_api.capabilities.audit.posting import PostFailed, post
from rbac_api.capabilities.audit.publisher import CheckpointPublisher
from rbac_api.database.constraints import DatabaseDown
from rbac_api.settings import Settings
from rbac_verifier.notes import open_checkpoint, read_key
from tests.builders import Stage
from tests.capabilities.audit.test_export import lengthen
from tests.patience import eventually


class Receiver(BaseHTTPRequestHandler):
    """Where an operator keeps checkpoints."""

    posted: ClassVar[list[tuple[str, str]]] = []
    status = 204

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.posted.append((self.path, body.decode()))
        self.send_response(self.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Receiver, "posted", [])
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/keep?token=x"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def settings(stage: Stage, tmp_path: Path) -> Settings:
    return replace(stage.settings, data_dir=str(tmp_path))


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("rbac_checkpoints_total", {"outcome": outcome}) or 0


def test_the_checkpoint_of_a_day_is_written_once(
    stage: Stage, settings: Settings, tmp_path: Path, time_machine: Traveller
) -> None:
    workers = [CheckpointPublisher(settings, stage.database) for _ in range(2)]
    lengthen(stage, 300)
    time_machine.move_to((clock.now() + timedelta(days=1)).replace(hour=12), tick=False)
    for _ in range(2):
        for worker in workers:
            worker.publish()
        time_machine.move_to(clock.now() + timedelta(hours=1), tick=False)
    today = f"{clock.now().date()}.txt"
    note = (tmp_path / "checkpoints" / today).read_text()
    time_machine.move_to(clock.now() + timedelta(days=1), tick=False)
    workers[1].publish()

    assert files(tmp_path)[-2:] == [today, f"{clock.now().date()}.txt"]
    assert open_checkpoint(note, read_key(verification_key(settings))).size == len(stage.events())


def test_each_checkpoint_is_posted_once(
    stage: Stage, settings: Settings, tmp_path: Path, address: str
) -> None:
    workers = [
        CheckpointPublisher(replace(settings, checkpoint_url=address), stage.database) for _ in range(2)
    ]
    for worker in [*workers, *workers]:
        worker.publish()

    [name] = files(tmp_path)
    assert Receiver.posted == [("/keep?token=x", (tmp_path / "checkpoints" / name).read_text())]


def test_what_cannot_be_posted_is_tried_again(
    stage: Stage, settings: Settings, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, failed = (
        CheckpointPublisher(replace(settings, checkpoint_url=address), stage.database),
        counted("failed"),
    )
    monkeypatch.setattr(Receiver, "status", 503)
    worker.publish()
    assert counted("failed") == failed + 1
    monkeypatch.setattr(Receiver, "status", 200)
    worker.publish()
    worker.publish()

    assert len(Receiver.posted) == 2


def test_where_no_file_can_be_written_it_is_posted_all_the_same(
    stage: Stage, settings: Settings, address: str, tmp_path: Path
) -> None:
    (tmp_path / "checkpoints").write_text("in the way")
    worker = CheckpointPublisher(replace(settings, checkpoint_url=address), stage.database)
    worker.publish()
    worker.publish()

    assert len(Receiver.posted) == 1


def test_two_workers_at_the_same_moment_write_one_file(
    stage: Stage, settings: Settings, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (
        CheckpointPublisher(replace(settings, checkpoint_url=address), stage.database) for _ in range(2)
    )
    real = publisher.signed_checkpoint

    def other_first(*arguments: Any) -> str:
        monkeypatch.setattr(publisher, "signed_checkpoint", real)
        second.publish()
        return real(*arguments)

    monkeypatch.setattr(publisher, "signed_checkpoint", other_first)
    first.publish()

    assert len(files(tmp_path)) == len(Receiver.posted) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 400, 500])
def test_an_answer_that_accepts_nothing_is_a_failure(
    address: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Receiver, "status", status)
    with pytest.raises(PostFailed, match=str(status)):
        post(address, b"x")
    assert len(Receiver.posted) == 1, "no redirect is followed"


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1/x", "http://[::1]:1", "https://no.such.host.invalid/"]
)
def test_an_address_that_does_not_answer_is_a_failure(address: str) -> None:
    with pytest.raises(PostFailed):
        post(address, b"x")


def test_an_address_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(PostFailed, match="Timeout"):
        post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"x")


def test_a_database_that_is_gone_is_counted_and_the_thread_goes_on(
    stage: Stage, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def gone(_database: Any) -> int:
        tries.append(1)
        raise DatabaseDown(internal="gone")

    monkeypatch.setattr(publisher, "stored_head", gone)
    monkeypatch.setattr(publisher, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(publisher, "EVERY_SECONDS", 0.01)
    worker, failed = CheckpointPublisher(settings, stage.database), counted("failed")
    worker.start()
    assert eventually(lambda: len(tries) > 1)
    worker.close()

    assert counted("failed") >= failed + 2


def test_a_process_that_ends_does_not_wait_for_the_whole_tree(
    stage: Stage, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lengthen(stage, 300)
    monkeypatch.setattr(publisher, "FIRST_SECONDS", 0)
    stage.execute("DELETE FROM trail_nodes")
    monkeypatch.setattr(publisher, "PAUSE_SECONDS", 60)
    worker = CheckpointPublisher(settings, stage.database)
    worker.start()
    assert eventually(lambda: stage.query("SELECT count(*) FROM trail_nodes")[0][0] > 0)
    worker.close()

    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(
    "address",
    [
        "ftp://x",
        "x",
        "http://",
        "http://user:pass@x/",
        "https://x/#f",
        "http://x:99999/",
        "http://x y/",
        "https://ü.example/",
        "//x",
    ],
)
def test_an_address_that_is_none_is_refused_without_being_repeated(stage: Stage, address: str) -> None:
    faults = replace(stage.settings, checkpoint_url=address).faults()

    assert [fault for fault in faults if fault.startswith("RBAC_CHECKPOINT_URL must be")]
    assert "user:pass" not in json.dumps(faults)
    assert not replace(stage.settings, checkpoint_url="https://x.example:8443/a?b=c").faults()
