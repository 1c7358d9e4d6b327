"""Reads the rows of one moment beside the unit that writes, without its lock. Part of the service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from rbac_api.capabilities.domains.service import require_domain
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.enforcement.unit_of_work import UnitOfWork


@contextmanager
def separate_unit(clearance: Clearance) -> Iterator[Clearance]:
    """A clearance of the same caller in a second unit, which reads the rows of one moment."""
    database = clearance.work.database
    with UnitOfWork(database, writes=False, one_moment=True) as work:
        yield clearance._replace(work=work)


def in_domain(clearance: Clearance, domain: str, at: datetime | None = None) -> Clearance:
    """The clearance at the domain that a document is of: 403 without the permission there, 404 for a domain
    that does not exist, or did not at that moment. ``engine.write`` asks again under the lock."""
    with separate_unit(clearance) as reader:
        require_domain(reader.at(domain), domain, at)
    clearance.work.undecided = False
    return clearance.looking_at(domain)
