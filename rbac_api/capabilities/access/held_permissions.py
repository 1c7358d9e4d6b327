"""Lists everything that an account may do, a page at a time, each permission with its paths. Part of the
service."""

from __future__ import annotations

from bisect import bisect_right

from rbac_api import clock
from rbac_api.capabilities.access import subjects
from rbac_api.capabilities.access.answers import HeldPermissionAnswer
from rbac_api.capabilities.access.explanation_view import describe_paths
from rbac_api.capabilities.access.subjects import Circumstances
from rbac_api.decision.domains import at_domain
from rbac_api.decision.evaluate import effective_permissions
from rbac_api.decision.explain import MAX_STEPS, Explanation, explain
from rbac_api.decision.model import Subject
from rbac_api.formats.paging import Page, PageRequest
from rbac_api.guard.enforcement.clearance import Clearance


def list_user_permissions(
    clearance: Clearance, user_id: str, asked: Circumstances, page: PageRequest
) -> Page[HeldPermissionAnswer]:
    """What a user may do in a new session. 404 for an unknown user or domain."""
    subject = subjects.find_user(clearance, user_id, asked.at, second_factor=asked.second_factor)
    return _page(clearance, subject, asked, page)


def list_service_account_permissions(
    clearance: Clearance, account_id: str, asked: Circumstances, page: PageRequest
) -> Page[HeldPermissionAnswer]:
    """The same for a service account, which has no second factor."""
    return _page(clearance, subjects.find_service_account(clearance, account_id, asked.at), asked, page)


def list_my_permissions(
    clearance: Clearance, asked: Circumstances, page: PageRequest
) -> Page[HeldPermissionAnswer]:
    """What the caller may do in the current session, or might have done in a new one at a past moment."""
    return _page(clearance, subjects.find_me(clearance, asked.at), asked, page)


def _page(
    clearance: Clearance, subject: Subject, asked: Circumstances, page: PageRequest
) -> Page[HeldPermissionAnswer]:
    """The next permissions by name, exactly those that ``decide`` allows."""
    at, moment = asked.at, asked.at or clock.now()
    subjects.require_place(clearance, asked)
    subject = at_domain(subject, asked.domain)
    graph = clearance.graph() if at is None else clearance.graph_at(at)
    held = sorted(effective_permissions(graph, subject, moment))
    rest = held[bisect_right(held, str(page.after[0])) :] if page.after else held
    explained: dict[str, Explanation] = {}
    steps = 0
    for permission in rest[: page.limit]:
        explained[permission] = explain(graph, subject, permission, moment)
        steps += sum(len(path.roles) for path in explained[permission].paths)
        if steps > MAX_STEPS:  # what one answer carries; the next page continues
            break
    found = {permission: explanation.paths for permission, explanation in explained.items()}
    paths = describe_paths(clearance, subject.id, found, moment)
    items: list[HeldPermissionAnswer] = [
        {"permission": name, "paths": paths[name], "truncated": explained[name].truncated} for name in paths
    ]
    more = len(items) < len(rest)
    return Page(items, (items[-1]["permission"],) if more else None, len(held) if page.count else None)
