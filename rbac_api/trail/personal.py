"""Keeps personal values out of the chain of events, so that they can be erased and the chain stays intact.

An event has the salted digest of each personal value, and nothing in the value's place.  Value and salt are
in ``personal_values``, a row for each user whom the event has values of.

    digest = SHA-256(salt || value)     salt: 16 random bytes; value: UTF-8

``personal`` of an event is canonical JSON, ``{place: digest}``.  A place is the JSON Pointer (RFC 6901) into
the event as the API shows it: ``/actor/name``, ``/ip``, ``/after/email``.  It is part of what the event's
hash covers.  An event that was written before this form has no ``personal`` and its values in their places.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, insert, select

from rbac_api.database.engine import batched
from rbac_api.database.queries.trail import EventRow
from rbac_api.database.tables import personal_values, users
from rbac_api.database.types import is_id
from rbac_api.decision.names import ERASED_NAME
from rbac_api.trail.canonical_form import canonical
from rbac_api.trail.fields import PERSONAL_NAMES
from rbac_verifier.encodings import hex_bytes
from rbac_verifier.events import ERASED, find_place, personal_digest

SALT_BYTES = 16
_NAMED_AFTER_USERS = frozenset({"user", "session", "token"})  # targets whose name is a username
_BATCH_SIZE = 1000
_COLUMNS = [column.name for column in personal_values.c]
# A request that was begun before the erasure may write its event after it.
_ADDITION = insert(personal_values).from_select(
    _COLUMNS,
    select(*(bindparam(column.name, type_=column.type) for column in personal_values.c)).where(
        ~exists().where(
            users.c.id == bindparam("user_id", type_=users.c.id.type), users.c.erased_at.is_not(None)
        )
    ),
)


@dataclass(frozen=True, slots=True)
class _Found:
    """A personal value: where it is, and whose it is."""

    place: str
    owner: str | None
    holder: Any  # the object or list that has it
    key: Any


def conceal(event: dict[str, Any]) -> dict[str, Any]:
    """Return a prepared event with digests for its personal values.

    ``before`` and ``after`` are given as objects and returned as canonical JSON. The values are returned as
    ``personal_values``, JSON that ``add_values`` takes.
    """
    digests: dict[str, str] = {}
    owned: dict[str | None, dict[str, tuple[str, str]]] = {}
    for found in list(_personal(event)):
        salt, value = secrets.token_bytes(SALT_BYTES), found.holder[found.key]
        digests[found.place] = personal_digest(salt, value)
        owned.setdefault(found.owner, {})[found.place] = salt.hex(), value
        found.holder[found.key] = None
    values = [
        {"user_id": owner, "ip": entries.get("/ip", (None, None))[1], "entries": canonical(entries)}
        for owner, entries in owned.items()
    ]
    return event | {
        "before": canonical(event["before"]) if event["before"] else None,
        "after": canonical(event["after"]) if event["after"] else None,
        "personal": canonical(digests) if digests else None,
        "personal_values": canonical(values) if values else None,
    }


def add_values(connection: Connection, events: list[dict[str, Any]]) -> None:
    """Write the values of events that have their numbers, except those of users who were erased."""
    rows = [
        {"seq": event["seq"], "part": part, **values}
        for event in events
        if event["personal_values"]
        for part, values in enumerate(json.loads(event["personal_values"]))
    ]
    for some in batched(rows, _BATCH_SIZE):
        connection.execute(_ADDITION, some)


def erase_values(connection: Connection, user_id: str) -> int:
    """Delete the values of a user from all events; return the number of events."""
    theirs = delete(personal_values).where(personal_values.c.user_id == user_id)
    return connection.execute(theirs).rowcount


def disclose(shown: dict[str, Any], personal: str | None, stored: str | None) -> dict[str, Any]:
    """Return an event as the API shows it, with each value, or ``{"erased": true}``, in its place.

    ``personal`` has the digests, and ``stored`` the rows of values, separated by commas. The member
    ``personal`` is added: what a verifier needs.
    """
    entries = _entries(stored)
    proofs: dict[str, dict[str, str]] = {}
    for place, digest in json.loads(personal or "{}").items():
        salt, value = entries.get(place, (None, ERASED))
        holder, key = find_place(shown, place)
        holder[key] = value
        proofs[place] = {"digest": digest, "salt": salt} if salt else {"digest": digest}
    return {**shown, "personal": proofs or None}


def actor_name(event: EventRow) -> str | None:
    """Return the name that the actor had, or what is shown in its place after an erasure."""
    if event.actor_name is not None or "/actor/name" not in json.loads(event.personal or "{}"):
        return event.actor_name
    return _entries(event.personal_values).get("/actor/name", ("", ERASED_NAME))[1]


def is_whole(personal: str | None, stored: str | None) -> bool:
    """Return whether the stored values are those of which the event has the digests; some may be erased."""
    try:
        digests = json.loads(personal or "{}")
        return all(
            digests[place] == personal_digest(hex_bytes(salt), value)
            for place, (salt, value) in _entries(stored).items()
        )
    except (ValueError, TypeError, LookupError, AttributeError):
        return False


def _entries(stored: str | None) -> dict[str, tuple[str, str]]:
    return {place: pair for row in json.loads(f"[{stored or ''}]") for place, pair in row.items()}


def _personal(event: dict[str, Any]) -> Iterator[_Found]:
    about = _about(event)
    if event["actor_type"] == "user" and event["actor_name"]:
        yield _Found("/actor/name", _user(event["actor_id"]), event, "actor_name")
    if event["target_type"] in _NAMED_AFTER_USERS and event["target_name"]:
        yield _Found("/target/name", about, event, "target_name")
    if event["ip"]:
        yield _Found("/ip", _user(event["actor_id"]) or about, event, "ip")
    for part in ("before", "after"):
        yield from _inside(event[part], f"/{part}", about)


def _inside(facts: Any, place: str, owner: str | None) -> Iterator[_Found]:
    members = (
        facts.items() if isinstance(facts, dict) else enumerate(facts if isinstance(facts, list) else ())
    )
    for key, value in members:
        deeper = f"{place}/{str(key).replace('~', '~0').replace('/', '~1')}"
        if isinstance(value, (dict, list)):
            known = _user(value.get("id")) if isinstance(value, dict) else None
            yield from _inside(value, deeper, known or owner)
        elif key in PERSONAL_NAMES and isinstance(value, str):
            yield _Found(deeper, owner, facts, key)


def _about(event: Mapping[str, Any]) -> str | None:
    """Return the user whom an event is about: its target, the one it names, or who acted."""
    if event["target_type"] == "user":
        return _user(event["target_id"])
    named = [(event[part] or {}).get("user") for part in ("after", "before")]
    ids = [_user(user.get("id")) for user in named if isinstance(user, dict)]
    return next((found for found in ids if found), _user(event["actor_id"]))


def _user(text: object) -> str | None:
    return text if isinstance(text, str) and is_id(text) else None
