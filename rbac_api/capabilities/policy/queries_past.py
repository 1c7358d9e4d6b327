"""SQL for the policy as it was at a past moment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, func, select

from rbac_api.capabilities.policy.queries import POLICY_EVENTS
from rbac_api.database.queries.domains import DOMAIN, DomainRow
from rbac_api.database.queries.permissions import PERMISSION, PermissionRow
from rbac_api.database.tables import domains, permissions, trail_events
from rbac_api.database.validity import in_force


def list_permissions_at(connection: Connection, at: datetime) -> Iterator[PermissionRow]:
    """The permissions as they were: what was changed in place since is read backwards from the trail."""
    before = _texts_before(connection, "permission.updated", at)
    for row in connection.execute(select(*PERMISSION).where(in_force(permissions, at))):
        found = PermissionRow._make(row)
        then = {"title": found.title, "description": found.description, **before.get(found.name, {})}
        yield found._replace(title=then["title"], description=then["description"] or "")


def list_domains_at(connection: Connection, at: datetime) -> Iterator[DomainRow]:
    """The domains as they were."""
    before = _texts_before(connection, "domain.updated", at)
    for row in connection.execute(select(*DOMAIN).where(in_force(domains, at))):
        found = DomainRow._make(row)
        then = {"title": found.title, "description": found.description, **before.get(found.name, {})}
        yield found._replace(title=then["title"], description=then["description"] or "")


def _texts_before(connection: Connection, action: str, at: datetime) -> dict[str, dict[str, str | None]]:
    """The texts that later events of this kind changed, by name, as they were at that moment."""
    later = (trail_events.c.action == action, trail_events.c.at > at)
    columns = (trail_events.c.target_id, trail_events.c.before)
    before: dict[str, dict[str, str | None]] = {}
    for event in connection.execute(select(*columns).where(*later).order_by(trail_events.c.seq.desc())):
        before.setdefault(event.target_id, {}).update(json.loads(event.before))
    return before


def find_last_policy_event_at(connection: Connection, at: datetime) -> tuple[int, datetime] | None:
    """The newest event up to that moment that changed what a document can say: one look at the index per
    kind, however long the trail. None before the first start."""
    by_then = select(trail_events.c.seq).where(trail_events.c.at <= at)
    last = connection.execute(by_then.order_by(trail_events.c.at.desc()).limit(1)).scalar()
    if last is None:
        return None
    numbers = select(func.max(trail_events.c.seq)).where(trail_events.c.seq <= last)
    newest = (
        connection.execute(numbers.where(trail_events.c.action == action)).scalar()
        for action in POLICY_EVENTS
    )
    seq = max(number or 0 for number in newest)
    moment = connection.execute(select(trail_events.c.at).where(trail_events.c.seq == seq)).scalar()
    return (seq, moment) if moment else None
