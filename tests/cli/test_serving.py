"""What the server asks of the machine before it serves."""

from __future__ import annotations

import resource
from typing import Any

import pytest

from rbac_api.cli import serve

WANTED = serve.MOST_CONNECTIONS + serve.OTHER_FILES + serve.FILES_OF_A_THREAD * 40


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "capacity"),
    [
        (1024, 1_048_576, [(WANTED, 1_048_576)], serve.MOST_CONNECTIONS),
        (256, resource.RLIM_INFINITY, [(WANTED, resource.RLIM_INFINITY)], serve.MOST_CONNECTIONS),
        (1024, 2048, [(2048, 2048)], 2048 - (WANTED - serve.MOST_CONNECTIONS)),
        (1_048_576, 1_048_576, [], serve.MOST_CONNECTIONS),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, [], serve.MOST_CONNECTIONS),
        (64, 64, [], 1),
    ],
)
def test_as_many_connections_are_taken_as_files_may_be_opened(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: list[Any], capacity: int
) -> None:
    found: list[Any] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: found.append(limits))

    assert serve.connection_capacity(threads=40) == capacity
    assert found == raised
