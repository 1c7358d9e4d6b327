"""Writes a plan as text: the changes, the permissions gained and lost, which of those are used, what prevents
it, and a summary.

``+`` (green) adds, ``~`` (yellow) changes, ``-`` (red) removes, ``!`` (red) prevents the plan. No colours if
the output is not a terminal, or NO_COLOR is set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

import click

from rbac_api.cli.output import shown
from rbac_api.decision.model import ROOT
from rbac_api.environment import present_environment

Paint = Callable[[str, str], str]
_COLOURS = {"+": "green", "~": "yellow", "-": "red", "!": "red"}
_PARTS = {"created": "+", "changed": "~", "removed": "-"}
_NAMES = {
    "domains": "domain",
    "permissions": "permission", "roles": "role", "inheritance": "inheritance", "constraints": "constraint",
    "assignments": "assignment",
}  # fmt: skip
_MAX_PERMISSIONS = 20  # permissions of one user on one line


def colours(stream: TextIO) -> Paint:
    """Return the function that colours a line by its sign.

    There are no colours if the output is not a terminal, or NO_COLOR is set (no-color.org).
    """
    if not stream.isatty() or present_environment().get("NO_COLOR"):
        return lambda _sign, text: text
    return lambda sign, text: click.style(text, fg=_COLOURS.get(sign), bold=True if sign == "!" else None)


def is_empty(plan: Mapping[str, Any]) -> bool:
    """Return True if there is nothing to do."""
    return not any(entries for part in _PARTS for entries in plan[part].values())


def is_refused(plan: Mapping[str, object]) -> bool:
    """Return True if applying the plan would be refused."""
    return bool(plan["refusals"] or plan["violations"])


def drift_lines(plan: Mapping[str, object], paint: Paint) -> Iterator[str]:
    """Yield one line per difference, and a summary."""
    if is_empty(plan):
        yield "In sync."
        return
    yield from _changes(plan, paint)
    yield f"Differs: {plan['summary']}."


def plan_lines(plan: Mapping[str, object], paint: Paint) -> Iterator[str]:
    """Yield the whole plan, as it is shown before the confirmation."""
    if is_empty(plan):
        yield "Nothing to do: the policy is already in place."
        return
    yield from _changes(plan, paint)
    yield from _effects(plan, paint)
    yield from _uses(plan, paint)
    yield from _obstacles(plan, paint)
    yield ""
    stale = plan["sessions_stale"]
    if stale:
        yield (
            f"{stale} {'session has' if stale == 1 else 'sessions have'} a token that would carry "
            "outdated roles."
        )
    yield f"Plan: {plan['summary']}."


def _changes(plan: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    for part, sign in _PARTS.items():
        for section, entries in plan[part].items():
            for entry in entries:
                yield paint(sign, f"  {sign} {_NAMES[section]} {_sentence(section, entry)}")


def _sentence(section: str, entry: Mapping[str, object]) -> str:
    if section == "inheritance":
        return f"{entry['role']} inherits {entry['inherits']}"
    if section == "assignments":
        who = shown(entry.get("user") or f"service account {entry.get('service_account')}")
        role = f"{entry['role']} at {entry['domain']}" if "domain" in entry else entry["role"]
        return f"{who} has {role}{_details(entry, ('user', 'service_account', 'role', 'domain'))}"
    return f"{entry['name']}{_details(entry, ('name',))}"


def _details(entry: Mapping[str, Any], named: tuple[str, ...]) -> str:
    """Return the other members of an entry, in brackets."""
    if "before" in entry:
        shown_members = [
            f"{key}: {_value(entry['before'][key])} -> {_value(value)}"
            for key, value in entry["after"].items()
        ]
        shown_members += [f"+{name}" for name in entry.get("granted", ())]
        shown_members += [f"-{name}" for name in entry.get("withdrawn", ())]
    else:
        shown_members = [
            f"{key}: {_value(value)}"
            for key, value in entry.items()
            if key not in named and _is_shown(key, value)
        ]
    return f" ({'; '.join(shown_members)})" if shown_members else ""


def _is_shown(key: str, value: object) -> bool:
    """Return True if the member is shown; default values are not."""
    return value not in (None, "", [], False) and (key, value) != ("mode", "active")


def _value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else shown(value)


def _effects(plan: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    if plan["gains"] or plan["losses"]:
        yield ""
        yield "Gained (+) and lost (-) permissions:"
    for part, sign in (("gains", "+"), ("losses", "-")):
        for effect in plan[part]:
            names = effect["permissions"]
            rest = f" and {len(names) - _MAX_PERMISSIONS} more" if len(names) > _MAX_PERMISSIONS else ""
            at = f" at {effect['domain']}" if "domain" in effect else ""
            who = shown(effect["user"]["username"]) + at
            yield paint(sign, f"  {sign} {who}: {', '.join(names[:_MAX_PERMISSIONS])}{rest}")


def _uses(plan: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    if plan["in_use"]:
        yield ""
        yield "Taken away, and used lately:"
    for entry in plan["in_use"]:
        times = "once" if entry["times"] == 1 else f"{entry['times']} times"
        who = shown(entry["user"]["username"])
        yield paint("!", f"  ! {who}: {entry['permission']}, {times}, last on {entry['last_used']:%Y-%m-%d}")


def _obstacles(plan: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    if is_refused(plan):
        yield ""
        yield "Applying would be refused:"
    for violation in plan["violations"]:
        who = shown((violation["user"] or {}).get("username") or "too many people")
        held = ", ".join(violation["roles"]) + (
            "" if violation["domain"] == ROOT else f" at {violation['domain']}"
        )
        yield paint("!", f"  ! {violation['constraint']}: {who} would hold {held}")
    for refusal in plan["refusals"]:
        yield paint("!", f"  ! {shown(refusal['step'])}: {shown(refusal['detail'])} ({refusal['code']})")
