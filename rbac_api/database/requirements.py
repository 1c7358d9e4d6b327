"""Checks what this service requires of its database and machine: one register of small functions, each with
its remedy.

An *essential* requirement is one without which an answer could be wrong: a start refuses, and ``/readyz``
answers 503.  Any other is a risk: a start warns of it.  ``rbac-api doctor`` has a line for each.  A check
tests the property itself, never the name of a product.
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
"""Whether the requirement is met, and what was found."""
Look = Callable[[Database, Connection], Seen]
FRESH_SECONDS = 1.0
NEEDS: list[Need] = []
_BY_ENGINE = {
    True: "rbac_api.database.requirements_sqlite",
    False: "rbac_api.database.requirements_postgresql",
}


class DatabaseUnfit(ServiceError):
    """The database or the machine lacks what this service requires; says what, and the remedy."""

    code = "ground.unfit"
    title = "The database or the machine is not fit for this service"


@dataclass(frozen=True, slots=True)
class Need:
    """One requirement; ``name`` is its line in the doctor's report."""

    name: str
    home: str
    look: Look
    remedy: str
    essential: bool


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one check."""

    need: Need
    met: bool
    detail: str


def need(name: str, remedy: str, *, essential: bool = True) -> Callable[[Look], Look]:
    """Register a function as a check for the engine whose module defines it."""

    def enter(look: Look) -> Look:
        NEEDS.append(Need(name, look.__module__, look, remedy, essential))
        return look

    return enter


def requirements_of(database: Database) -> list[Need]:
    """Return the requirements for this engine; the modules of the others are not loaded."""
    home = import_module(_BY_ENGINE[database.on_sqlite]).__name__
    return [each for each in NEEDS if each.home == home]


def check_requirements(database: Database, *, essential: bool = False) -> Iterator[Result]:
    """Check each requirement, or the essential ones alone.  Raises ``DatabaseDown`` where the database does
    not answer."""
    chosen = [each for each in requirements_of(database) if each.essential or not essential]
    with database.reading() as connection:
        for each in chosen:
            yield _looked(each, database, connection)


def _looked(need: Need, database: Database, connection: Connection) -> Result:
    try:
        met, detail = need.look(database, connection)
    except (OperationalError, InterfaceError):
        raise  # the database does not answer, so nothing was checked
    except DBAPIError as fault:
        met, detail = False, " ".join(str(fault.orig).split())
    return Result(need, met, detail)


def requirement_faults(database: Database) -> list[str]:
    """Return a sentence and its remedy for each essential requirement that is not met."""
    found = check_requirements(database, essential=True)
    return [
        f"{result.need.name}: {result.detail}. {result.need.remedy}" for result in found if not result.met
    ]


def recent_results(database: Database) -> list[Result]:
    """Return the essential requirements as of the last second at most: for callers that ask often or many at
    a time."""
    until, results = database.looked
    if clock.monotonic() >= until:
        results = list(check_requirements(database, essential=True))
        database.looked = clock.monotonic() + FRESH_SECONDS, results
    return results


def ensure_requirements(database: Database) -> list[str]:
    """Raise ``DatabaseUnfit`` if an essential requirement is not met; return the remaining risks, a sentence
    each."""
    found = [result for result in check_requirements(database) if not result.met]
    essential = [result for result in found if result.need.essential]
    if essential:
        raise DatabaseUnfit(
            "\n".join(f"  - {each.need.name}: {each.detail}. {each.need.remedy}" for each in essential)
        )
    return [f"{each.need.name}: {each.detail}. {each.need.remedy}" for each in found]
