"""Eight processes that prepare one database at the same moment, each with an administrator's name of its own.

Run as a program: the database's URL, and ``careful`` or ``naive``.  It prints one line per process: the name it made, or ``-``.
"""

from __future__ import annotations

import multiprocessing
import os
import sys

from rbac_api.cli import prepare as preparing
from rbac_api.database.engine import Database
from rbac_api.guard.enforcement.clearance import Clearance
from tests.builders import settings_for

PROCESSES = 8


def believe_the_first_look() -> None:
    """The vulnerable twin: whether there is anybody is looked up before the write lock, and not again under it.

    All look before the first one writes, however the machine divides its time between them.
    """
    look = preparing.no_users
    all_have_looked = multiprocessing.get_context("fork").Barrier(PROCESSES)

    def naive(clearance: Clearance) -> bool:
        if clearance.work.writes:
            return True
        found = look(clearance)
        all_have_looked.wait(timeout=120)
        return found

    preparing.no_users = naive  # type: ignore[attr-defined]


def newcomer(url: str, number: int, start: int) -> None:
    """One process: wait for the signal, prepare, say what came of it."""
    settings = settings_for(url, admin_username=f"admin-{number}")
    os.read(start, 1)  # returns when the parent lets go of the other end
    database = Database(settings)
    done = preparing.prepare(settings, database)
    database.dispose()
    os.write(
        sys.stdout.fileno(), f"{done.username or '-'}\n".encode()
    )  # one write: the lines of others do not mix in


def main(url: str, manner: str) -> int:
    """How many of them failed."""
    if manner == "naive":
        believe_the_first_look()
    start, go = os.pipe()
    children = []
    for number in range(PROCESSES):
        child = os.fork()
        if child == 0:
            os.close(go)
            newcomer(url, number, start)
            os._exit(0)
        children.append(child)
    os.close(go)
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
