"""Reads questions: AuthZEN sections 5 (entities), 6.1 (one), 7.1 (many, with defaults) and 8 (searches)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rbac_api.capabilities.evaluation.errors import InvalidQuestion
from rbac_api.database.types import UUID
from rbac_api.decision.model import ROOT
from rbac_api.decision.naming import PERMISSION

USER, SERVICE_ACCOUNT = "user", "service-account"
EXECUTE_ALL, DENY_FIRST, PERMIT_FIRST = SEMANTICS = (
    "execute_all",
    "deny_on_first_deny",
    "permit_on_first_permit",
)
MAX_EVALUATIONS = 10_000
_ENTITIES = {"subject": ("type", "id"), "action": ("name",), "resource": ("type", "id")}
_UUID = re.compile(UUID, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a subject may do what a permission names; ``permission`` is None for an impossible name."""

    kind: str
    subject: str
    permission: str | None
    second_factor: bool = True  # the kind of session; a service account has none in any
    session: str | None = None  # the id of the session, if the question is about one
    domain: str = ROOT  # where it would be done

    @property
    def by_id(self) -> bool:
        """Whether the subject is named by its id; users can be named by username as well."""
        return _UUID.fullmatch(self.subject) is not None


@dataclass(frozen=True, slots=True)
class SubjectSearch:
    """Who may do what a permission names at a domain, of one kind of account."""

    kind: str
    permission: str | None
    second_factor: bool
    domain: str


@dataclass(frozen=True, slots=True)
class ActionSearch:
    """What a subject may do to resources of a type: a question without its action."""

    kind: str
    subject: str
    resource: str
    second_factor: bool
    domain: str


@dataclass(frozen=True, slots=True)
class ResourceSearch:
    """Where a subject may do what a permission names to resources of a type, in a domain and below it."""

    kind: str
    subject: str
    resource: str
    permission: str | None
    second_factor: bool
    domain: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Several questions, each with the question or its fault, and the order of evaluation."""

    items: tuple[Question | InvalidQuestion, ...]
    semantic: str


def question_in(body: Mapping[str, object]) -> Question:
    """One question (section 6.1). Raises ``InvalidQuestion`` naming the first member that is missing or of
    another type."""
    subject, action, resource = (_entity(body, name, members) for name, members in _ENTITIES.items())
    named, session = _permission(resource["type"], action["name"]), _context(body).get("session_id")
    if session is not None and not isinstance(session, str):
        raise InvalidQuestion("The member session_id of context is not text.")
    second_factor, domain = _second_factor(body), _domain(resource)
    return Question(subject["type"], subject["id"], named, second_factor, session, domain)


def subject_search_in(body: Mapping[str, object]) -> SubjectSearch:
    """A search for subjects (section 8.4): as a question, whose subject needs no id."""
    subject = _entity(body, "subject", ("type",))
    action, resource = (_entity(body, name, _ENTITIES[name]) for name in ("action", "resource"))
    named = _permission(resource["type"], action["name"])
    return SubjectSearch(subject["type"], named, _second_factor(body), _domain(resource))


def action_search_in(body: Mapping[str, object]) -> ActionSearch:
    """A search for actions (section 8.6): as a question without the action."""
    subject, resource = (_entity(body, name, _ENTITIES[name]) for name in ("subject", "resource"))
    named, second_factor = resource["type"], _second_factor(body)
    return ActionSearch(subject["type"], subject["id"], named, second_factor, _domain(resource))


def resource_search_in(body: Mapping[str, object]) -> ResourceSearch:
    """A search for resources (section 8.5): as a question, whose resource needs no id."""
    subject, action = (_entity(body, name, _ENTITIES[name]) for name in ("subject", "action"))
    resource = _entity(body, "resource", ("type",))
    named, second_factor = _permission(resource["type"], action["name"]), _second_factor(body)
    return ResourceSearch(
        subject["type"], subject["id"], resource["type"], named, second_factor, _domain(resource)
    )


def batch_in(body: Mapping[str, object]) -> Batch | None:
    """Several questions (section 7.1); None if there are none, so that the body itself is the question.

    A malformed question gets its fault in its own place (section 7.2.1); a malformed body raises
    ``InvalidQuestion``.
    """
    semantic = _semantic(body)
    items = body.get("evaluations", [])
    if not isinstance(items, list):
        raise InvalidQuestion("The member evaluations is not an array.")
    if len(items) > MAX_EVALUATIONS:
        raise InvalidQuestion(f"There are more than {MAX_EVALUATIONS} evaluations. Ask in several requests.")
    if not items:
        return None
    defaults = {name: body[name] for name in (*_ENTITIES, "context") if name in body}
    for name, value in defaults.items():
        if not isinstance(value, dict):
            raise InvalidQuestion(f"The member {name} is not an object.")
    return Batch(tuple(_or_fault(item, defaults) for item in items), semantic)


def _or_fault(item: object, defaults: Mapping[str, object]) -> Question | InvalidQuestion:
    if not isinstance(item, dict):
        return InvalidQuestion("The evaluation is not an object.")
    try:
        return question_in({**defaults, **item})
    except InvalidQuestion as fault:
        return fault


def _permission(resource: str, verb: str) -> str | None:
    """The permission's name; None for two that are too long to be one, which are not even joined."""
    return f"{resource}:{verb}" if len(resource) + len(verb) < PERMISSION.longest else None


def _context(body: Mapping[str, object]) -> Mapping[str, object]:
    context = body.get("context", {})
    if not isinstance(context, dict):
        raise InvalidQuestion("The member context is not an object.")
    return context


def _second_factor(body: Mapping[str, object]) -> bool:
    second_factor = _context(body).get("second_factor", True)
    if not isinstance(second_factor, bool):
        raise InvalidQuestion("The member second_factor of context is not true or false.")
    return second_factor


def _semantic(body: Mapping[str, object]) -> str:
    """Which of the three (section 7.1.2.1); other options are ignored."""
    options = body.get("options", {})
    if not isinstance(options, dict):
        raise InvalidQuestion("The member options is not an object.")
    semantic = options.get("evaluations_semantic", EXECUTE_ALL)
    if semantic not in SEMANTICS:
        raise InvalidQuestion(f"The member options.evaluations_semantic is none of {', '.join(SEMANTICS)}.")
    return str(semantic)


def _domain(resource: Mapping[str, Any]) -> str:
    """Where the resource is; ``root`` for one that does not say so."""
    domain = resource.get("properties", {}).get("domain", ROOT)
    if not isinstance(domain, str):
        raise InvalidQuestion("The member resource.properties.domain is not text.")
    return domain


def _entity(body: Mapping[str, object], name: str, members: tuple[str, ...]) -> dict[str, str]:
    if name not in body:
        raise InvalidQuestion(f"The member {name} is missing.")
    entity = body[name]
    if not isinstance(entity, dict):
        raise InvalidQuestion(f"The member {name} is not an object.")
    for member in members:
        if member not in entity:
            raise InvalidQuestion(f"The member {name}.{member} is missing.")
        if not isinstance(entity[member], str):
            raise InvalidQuestion(f"The member {name}.{member} is not text.")
    if not isinstance(entity.get("properties", {}), dict):
        raise InvalidQuestion(f"The member {name}.properties is not an object.")
    return entity
