"""Explains who may do what, and why a request was refused."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from itertools import islice

from rbac_api import clock
from rbac_api.capabilities.access import queries, subjects
from rbac_api.capabilities.access.answers import AccessAnswer, DecisionAnswer
from rbac_api.capabilities.access.diff import diff_access
from rbac_api.capabilities.access.errors import DecisionNotFound
from rbac_api.capabilities.access.explanation_view import describe
from rbac_api.capabilities.access.held_permissions import (
    list_my_permissions,
    list_service_account_permissions,
    list_user_permissions,
)
from rbac_api.capabilities.access.holders import (
    HOLDERS,
    export_accounts,
    list_permission_holders,
    list_role_members,
    page_of_accounts,
)
from rbac_api.capabilities.access.queries import DecisionRow
from rbac_api.capabilities.access.subjects import Circumstances
from rbac_api.capabilities.constraints.service import assignable
from rbac_api.capabilities.permissions.errors import PermissionNotFound
from rbac_api.capabilities.sessions.answers import user_reference
from rbac_api.database.queries.sessions import Begun
from rbac_api.database.queries.users import get_account, list_homes
from rbac_api.decision.domains import at_domain, counting_at, home_of, is_in
from rbac_api.decision.evaluate import missing
from rbac_api.decision.explain import Explanation, explain
from rbac_api.decision.model import ROOT, Assignment, Subject
from rbac_api.decision.separation_of_duty import dynamic_conflicts
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import AccessDenied
from rbac_api.guard.state import queries_history as history
from rbac_api.trail.sequencer import drain_outbox

__all__ = [
    "HOLDERS",
    "Circumstances",
    "diff_access",
    "export_accounts",
    "get_decision",
    "get_my_access",
    "get_service_account_access",
    "get_user_access",
    "get_username",
    "list_my_permissions",
    "list_permission_holders",
    "list_role_members",
    "list_service_account_permissions",
    "list_user_permissions",
    "page_of_accounts",
]
MAX_NEAREST = 5
ASSIGNING = "assignments:create"  # what assigning a role requires


def get_user_access(
    clearance: Clearance, user_id: str, permission: str, asked: Circumstances
) -> AccessAnswer:
    """Whether a user may do something, and why: in a new session. 404 for an unknown user, permission or
    domain."""
    subject = subjects.find_user(clearance, user_id, asked.at, second_factor=asked.second_factor)
    return _access(clearance, subject, permission, asked)


def get_username(clearance: Clearance, user_id: str) -> str:
    """The name of a user that exists."""
    return get_account(clearance.connection, user_id).username


def get_service_account_access(
    clearance: Clearance, account_id: str, permission: str, asked: Circumstances
) -> AccessAnswer:
    """The same for a service account, which has no second factor."""
    subject = subjects.find_service_account(clearance, account_id, asked.at)
    return _access(clearance, subject, permission, asked)


def get_my_access(clearance: Clearance, permission: str, domain: str | None) -> AccessAnswer:
    """Whether the caller may do something at a domain, None for that of the session, in the current
    session."""
    domain = domain or clearance.session_domain
    return _access(clearance, subjects.find_me(clearance), permission, Circumstances(domain=domain))


def get_decision(clearance: Clearance, decision_id: str) -> DecisionAnswer:
    """A refusal, explained with the state of its time: the caller's own, or with ``audit:read`` that of any
    user. 404 otherwise."""
    row = _readable_decision(clearance, decision_id)
    explanation = _explained(clearance, row)
    described = describe(clearance, row.user_id or "", row.permission or "", explanation, row.at)
    asked = json.loads(row.after)
    if explanation.decision or not described["because"] or row.code != AccessDenied.code:
        described["because"] = [
            {"code": row.code, "detail": row.detail}
        ]  # refused for another reason than this permission
    return {
        "id": row.id,
        "seq": row.seq,
        "at": row.at,
        "user": user_reference(row.user_id, row.username),
        "session_id": row.session_id,
        "method": asked["method"],
        "path": asked["path"],
        "permission": row.permission,
        "role": row.role,
        "domain": asked.get("domain", ROOT),
        "code": row.code,
        "detail": row.detail,
        **described,
        "nearest": _nearest_now(clearance, row) if row.code == AccessDenied.code else [],
        "decision": False,
        "second_factor": row.second_factor,
    }


def _readable_decision(clearance: Clearance, decision_id: str) -> DecisionRow:
    """The row; 404 for the refusal of another user, unless the caller reads the trail there."""
    row = queries.find_decision(clearance.connection, decision_id)
    if row is None:  # it may wait in the outbox, with its event
        clearance.work.release()
        drain_outbox(clearance.work.database)
        row = DecisionNotFound.require(queries.find_decision(clearance.connection, decision_id))
    if row.user_id is None or row.user_id != clearance.actor.id:
        try:
            clearance.looking_at(row.event_domain or ROOT).require_permission("audit:read")
        except AccessDenied as refusal:
            raise DecisionNotFound() from refusal
    return row


def _explained(clearance: Clearance, row: DecisionRow) -> Explanation:
    """The explanation as the guard saw it: in that session, as it was at that moment."""
    connection = clearance.connection
    if not (row.permission and row.user_id):
        return Explanation(False)
    asked = json.loads(row.after)
    begun = Begun(row.chosen_roles, asked.get("session_domain", ROOT))
    roles = history.find_session_roles_at(connection, row.session_id, begun, row.at)
    found = history.find_subject_at(
        connection, row.user_id, row.at, second_factor=row.second_factor, roles=roles
    )
    graph, domain = clearance.graph_at(row.at), asked.get("domain", ROOT)
    return (
        explain(graph, at_domain(found[0], domain), row.permission, row.at) if found else Explanation(False)
    )


def _nearest_now(clearance: Clearance, row: DecisionRow) -> list[str]:
    """The roles that the caller may assign today to the refused user; none if the user holds the permission
    now."""
    graph = clearance.graph()
    if row.user_id is None or row.permission is None or row.permission not in graph.permissions:
        return []
    now = clock.now()
    found = history.find_subject_at(clearance.connection, row.user_id, now, second_factor=True)
    domain = json.loads(row.after).get("domain", ROOT)
    if found is None or not clearance.snapshot.domains.exists(domain, clearance.connection):
        return []
    if explain(graph, at_domain(found[0], domain), row.permission, now).decision:
        return []
    return _nearest(clearance, found[0], row.permission, domain)


def _access(clearance: Clearance, subject: Subject, permission: str, asked: Circumstances) -> AccessAnswer:
    at, moment = asked.at, asked.at or clock.now()
    graph = clearance.graph() if at is None else clearance.graph_at(at)
    if permission not in graph.permissions:
        raise PermissionNotFound()
    subjects.require_place(clearance, asked)
    explanation = explain(graph, at_domain(subject, asked.domain), permission, moment)
    described = describe(clearance, subject.id, permission, explanation, moment)
    if not explanation.decision and at is None:
        described["nearest"] = _nearest(clearance, subject, permission, asked.domain)
    return {**described, "second_factor": subject.second_factor}


def _nearest(clearance: Clearance, subject: Subject, permission: str, domain: str) -> list[str]:
    """The smallest roles that would grant it there and that the caller may assign to the subject, which is
    the one at ``root``."""
    there, graph, now = clearance.looking_at(domain), clearance.graph(), clock.now()
    held = there.held
    given = [a for a in (*subject.assignments, *subject.elsewhere) if a.ends is None or a.ends > now]
    lasting = frozenset(a.role for a in counting_at(given, domain))
    if subject.status != "active" or not _may_assign(clearance, subject.id, given, domain):
        return []
    counting = graph.seen_with(subject.second_factor)
    granting = [
        name
        for name, permissions in counting.effective.items()
        if permission in permissions
        and is_in(domain, home_of(name))
        and not missing(held, graph.effective[name])
    ]
    counted = (
        name
        for name in sorted(granting, key=lambda name: (len(graph.effective[name]), name))
        if not dynamic_conflicts(graph, lasting | {name})
    )
    with closing(assignable(clearance, subject, counted, domain)) as fitting:
        return list(islice(fitting, MAX_NEAREST))


def _may_assign(clearance: Clearance, user_id: str, given: Iterable[Assignment], domain: str) -> bool:
    """Whether the caller may assign any role to the user there: the permission counts at the user's home and
    there, and the caller holds, wherever the user holds anything, what the user holds."""
    if not clearance.holds(ASSIGNING, ROOT):
        places = (domain, *list_homes(clearance.connection, [user_id]).values())
        if not all(clearance.holds(ASSIGNING, place) for place in places):
            return False
    effective = clearance.graph().effective
    return clearance.unbounded or all(
        effective.get(one.role, frozenset()) <= clearance.looking_at(one.domain).held for one in given
    )
