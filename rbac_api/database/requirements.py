"""What this service needs of the ground it stands on, each need a small function beside its remedy: one register for all.

An *essential* need is one without which an answer could be wrong: a start refuses, and ``/readyz`` answers 503.  Any other is a risk: a
start warns of it.  ``rbac-api doctor`` has a line for each.  A need tests the property itself, never the name of a product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from rbac_api import clock
from rbac_api.database.engine import Database
from rbac_api.errors import ServiceError

Seen = tuple[bool, str]
"""Whether the need is met, and what was seen."""
Look = Callable[[Database, Connection], Seen]
FRESH_SECONDS = 1.0
NEEDS: list[Need] = []
_BY_ENGINE = {
    True: "rbac_api.database.requirements_sqlite",
    False: "rbac_api.database.requirements_postgresql",
}


class DatabaseUnfit(ServiceError):
    """The database or the machine lacks what this service needs; says what, and the remedy."""

    code = "ground.unfit"
    title = "The database or the machine is not fit for this service"


@dataclass(frozen=True, slots=True)
class Need:
    """One property; ``name`` is its line in the doctor's report."""

    name: str
    home: str
    look: Look
    remedy: str
    essential: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What became of looking at one need."""

    need: Need
    met: bool
    detail: str


def need(name: str, remedy: str, *, essential: bool = True) -> Callable[[Look], Look]:
    """Enter a function among the needs of the engine whose module it stands in."""

    def enter(look: Look) -> Look:
        NEEDS.append(Need(name, look.__module__, look, remedy, essential))
        return look

    return enter


def requirements_of(database: Database) -> list[Need]:
    """The needs where this engine is used; the modules of the others are not loaded."""
    home = import_module(_BY_ENGINE[database.on_sqlite]).__name__
    return [each for each in NEEDS if each.home == home]


def check_requirements(database: Database, *, essential: bool = False) -> Iterator[Result]:
    """Look at each need, or at the essential ones alone.  Raises ``DatabaseDown`` where the database does not answer."""
    chosen = [each for each in requirements_of(database) if each.essential or not essential]
    with database.reading() as connection:
        for each in chosen:
            yield _looked(each, database, connection)


def _looked(need: Need, database: Database, connection: Connection) -> Result:
    try:
        met, detail = need.look(database, connection)
    except (OperationalError, InterfaceError):
        raise  # the database does not answer, which is no property of it
    except DBAPIError as fault:
        met, detail = False, " ".join(str(fault.orig).split())
    return Result(need, met, detail)


def requirement_faults(database: Database) -> list[str]:
    """A sentence and its remedy for each essential need that is not met."""
    found = check_requirements(database, essential=True)
    return [
        f"{result.need.name}: {result.detail}. {result.need.remedy}" for result in found if not result.met
    ]


def recent_results(database: Database) -> list[Result]:
    """The essential needs, looked at not longer ago than a second: for those who ask every few seconds, or many at a time."""
    until, results = database.looked
    if clock.monotonic() >= until:
        results = list(check_requirements(database, essential=True))
        database.looked = clock.monotonic() + FRESH_SECONDS, results
    return results


def ensure_requirements(database: Database) -> list[str]:
    """``DatabaseUnfit`` unless all that is essential is there; the risks that remain, a sentence each."""
    found = [result for result in check_requirements(database) if not result.met]
    essential = [result for result in found if result.need.essential]
    if essential:
        raise DatabaseUnfit(
            "\n".join(f"  - {each.need.name}: {each.detail}. {each.need.remedy}" for each in essential)
        )
    return [f"{each.need.name}: {each.detail}. {each.need.remedy}" for each in found]
