"""Creates, changes and deletes domains in a ``State``, with the rules of the single change. Part of the
service."""

from __future__ import annotations

from rbac_api.capabilities.domains.service import require_no_home, require_unused
from rbac_api.capabilities.policy.state import State
from rbac_api.database.pending import NOW
from rbac_api.database.queries.domains import DomainRow
from rbac_api.database.tables import domains
from rbac_api.database.types import new_id
from rbac_api.decision.difference import Facts
from rbac_api.decision.domains import parent_of
from rbac_api.guard.errors import DomainNotFound
from rbac_api.trail.fields import changes, stated


def create_domain(state: State, facts: Facts) -> None:
    """404 if the domain that it is in does not exist."""
    state.places.require(parent_of(facts["name"]))
    texts = facts.get("title") or None, facts.get("description", "")
    row = DomainRow(new_id(), facts["name"], *texts, state.at)
    state.pending.add(domains, {**row._asdict(), "valid_from": NOW, "valid_to": None})
    state.places.add(row)
    state.record_event("domain.created", "domain", row.name, after=stated("domains", row._asdict()))


def update_domain(state: State, facts: Facts) -> None:
    """Change title and description."""
    row = _find(state, facts)
    new = row._replace(**facts["after"])
    before, after = changes("domains", row._asdict(), new._asdict())
    state.places.rows[row.name] = new
    state.pending.change(domains, {"id": row.id}, after)
    state.record_event("domain.updated", "domain", row.name, before=before, after=after)


def delete_domain(state: State, facts: Facts) -> None:
    """409 while there is a domain in it, an assignment that is not over, or something at home there."""
    row, places = _find(state, facts), state.places
    number = places.open_numbers.get(row.name, 0) + places.more[row.name]
    require_unused(row.name, places.first_below(row.name), number)
    require_no_home([row.name], {row.name: places.residents_of(row.name)})
    state.pending.change(domains, {"id": row.id}, {"valid_to": NOW})
    places.remove(row.name)
    state.record_event("domain.deleted", "domain", row.name, before=stated("domains", row._asdict()))


def _find(state: State, facts: Facts) -> DomainRow:
    return DomainNotFound.require(state.places.rows.get(facts["name"]))
