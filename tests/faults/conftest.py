"""Nodes of the real product, started for one test or for all tests of a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.servers.places import server_folder
from tests.servers.postgres import PostgresServer, start_postgres
from tests.servers.service import SETTINGS, Service

StartNode = Callable[..., Service]


@pytest.fixture(scope="module")
def durable() -> Iterator[PostgresServer]:
    """A PostgreSQL that keeps its promises, and that a test may crash."""
    server = start_postgres(durable=True)
    yield server
    server.stop()


@pytest.fixture
def start_node() -> Iterator[StartNode]:
    """Starts nodes of the product; whatever was started ends with the test."""
    nodes: list[Service] = []

    def start(url: str, *program: str, **settings: Any) -> Service:
        given = {
            **SETTINGS,
            "RBAC_DATABASE_URL": url,
            **{name: str(value) for name, value in settings.items()},
        }
        nodes.append(Service(server_folder("node"), given, *program, warm=not program))
        nodes[-1].start()
        return nodes[-1]

    yield start
    for node in nodes:
        node.end()
