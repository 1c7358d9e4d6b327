"""Answers questions. Nothing is written, and a batch reads one consistent state, however many subjects it
asks about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from rbac_api.capabilities.evaluation.errors import InvalidQuestion
from rbac_api.capabilities.evaluation.questions import (
    DENY_FIRST,
    PERMIT_FIRST,
    SERVICE_ACCOUNT,
    USER,
    Batch,
    Question,
    batch_in,
    question_in,
)
from rbac_api.database.types import UUID
from rbac_api.decision.model import ROOT, Decision
from rbac_api.decision.names import MAX_USERNAME_LENGTH, canonical
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.enforcement.runtime import Runtime
from rbac_api.guard.state.subjects import Person
from rbac_api.settings import Settings

NOTHING_GRANTS = "nothing-grants"
# What an app may learn. Reading a user's roles needs `users:read`, so the sentences name none.
DETAILS = {
    NOTHING_GRANTS: "No role of the subject grants this.",
    "disabled": "The subject's account is not active.",
    "not-started": "A role that grants this does not count yet.",
    "expired": "A role that grants this no longer counts.",
    "not-active": "A role that grants this is not active.",
    "mfa": "A role that grants this is effective only in a session with a second factor.",
}
_ID = re.compile(UUID, re.IGNORECASE)
KINDS = {USER: "person", SERVICE_ACCOUNT: "service"}
_ENOUGH = {DENY_FIRST: False, PERMIT_FIRST: True}
_LONGEST_NAME = MAX_USERNAME_LENGTH * 8  # as typed, a name may be longer than in its canonical form
Answer = dict[str, Any]


def evaluate_access(clearance: Clearance, body: Mapping[str, object]) -> Answer:
    """The answer to one question, ``{decision, context?}`` (AuthZEN section 6.2); a denial is a normal
    answer."""
    question = question_in(body)
    return SubjectStates(clearance.runtime, [question]).answer(question)


def evaluate_accesses(clearance: Clearance, body: Mapping[str, object]) -> Answer:
    """The answers to several, ``{evaluations: [...]}`` in their order (section 7.2); to a single one, as
    above."""
    batch = batch_in(body)
    return {"evaluations": _answers(clearance.runtime, batch)} if batch else evaluate_access(clearance, body)


def describe_decision_point(settings: Settings) -> dict[str, str]:
    """Where decisions are made (section 9). The specification wants https: the configured issuer is used as
    it is."""
    base = settings.issuer_url.rstrip("/")
    return {
        "policy_decision_point": base,
        "access_evaluation_endpoint": f"{base}/access/v1/evaluation",
        "access_evaluations_endpoint": f"{base}/access/v1/evaluations",
        "search_subject_endpoint": f"{base}/access/v1/search/subject",
        "search_resource_endpoint": f"{base}/access/v1/search/resource",
        "search_action_endpoint": f"{base}/access/v1/search/action",
    }


def _answers(runtime: Runtime, batch: Batch) -> list[Answer]:
    """The answers, until the semantic says stop; a malformed question counts as denied (section 7.1.2.1)."""
    panel = SubjectStates(runtime, [item for item in batch.items if isinstance(item, Question)])
    answers: list[Answer] = []
    for item in batch.items:
        answer = panel.answer(item) if isinstance(item, Question) else _failed(item)
        answers.append(answer)
        if answer["decision"] is _ENOUGH.get(batch.semantic):
            break
    return answers


def _failed(fault: InvalidQuestion) -> Answer:
    return {"decision": False, "context": {"error": {"status": fault.status, "message": fault.detail}}}


class SubjectStates:
    """The state of all subjects in the questions, at this moment."""

    def __init__(self, runtime: Runtime, questions: Iterable[Question]) -> None:
        asked = list(questions)
        subjects = {(question.kind, question.subject): question for question in asked}
        self._ids = {key: one.subject.lower() for key, one in subjects.items() if one.by_id}
        names = {
            key: canonical(one.subject)
            for key, one in subjects.items()
            if one.kind == USER and not one.by_id and len(one.subject) <= _LONGEST_NAME
        }
        self._uses, self._snapshot, self._issuers = runtime.uses, runtime.snapshot, runtime.issuers
        known = self._snapshot.ids_of(names.values())
        self._ids |= {key: known[name] for key, name in names.items() if name in known}
        self._people = self._snapshot.people(self._ids.values())
        self._domains = self._snapshot.domains.among({one.domain for one in asked} - {ROOT}) | {ROOT}

    def answer(self, question: Question) -> Answer:
        """The answer; an unknown subject, permission or domain gets the same one as a subject without
        permissions."""
        person, permission = self.find(question), question.permission
        if person is None or permission is None or permission not in person.graph.permissions:
            return _denied(NOTHING_GRANTS)
        without = person.may_without_second_factor(permission)
        decision = person.may(permission) if question.second_factor or question.session else without
        if not decision.allowed:
            return _denied(*_codes(decision))
        proved = (question.second_factor or bool(question.session)) and person.subject.second_factor
        self._uses.count(person.subject.id, permission, proved)
        return (
            {"decision": True} if without.allowed else {"decision": True, "context": {"second_factor": True}}
        )

    def find(self, question: Question) -> Person | None:
        """The subject of a question, where it is asked; None if there is no such account or domain."""
        person = self._people.get(self._ids.get((question.kind, question.subject), ""))
        if person is None or person.kind != KINDS.get(question.kind) or person.subject.status == "deleted":
            return None
        found = person if question.session is None else self._in_session(person, question.session)
        return found.at(question.domain) if found and question.domain in self._domains else None

    def _in_session(self, person: Person, session_id: str) -> Person | None:
        """The subject in that session; None if it is another's, or has ended."""
        session = self._snapshot.session(session_id.lower()) if _ID.fullmatch(session_id) else None
        if session is None or session.ended or session.user_id != person.subject.id:
            return None
        found = self._snapshot.person(
            person.subject.id, second_factor=session.second_factor, roles=session.roles
        )
        if found and session.issued and not self._issuers.covers(found, session.issued):
            return None  # as the guard
        return found


def _codes(decision: Decision) -> Iterable[str]:
    return dict.fromkeys(reason.code for reason in decision.reasons)


def _denied(*codes: str) -> Answer:
    return {
        "decision": False,
        "context": {
            "reasons": [
                {"code": code, "detail": DETAILS.get(code, DETAILS[NOTHING_GRANTS])} for code in codes
            ]
        },
    }
