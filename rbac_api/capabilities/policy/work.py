"""What a document comes to: a computed policy, ready to be written. Part of the service."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from rbac_api.capabilities.assignments.service import where
from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.capabilities.policy.state import State
from rbac_api.decision.difference import Step
from rbac_api.decision.domains import lineage
from rbac_api.errors import ServiceError
from rbac_api.trail.canonical_form import canonical

_REFERENCES = ("name", "role", "inherits", "permission")


@dataclass(slots=True)
class Work:
    """A computed document: its steps, what they lead to, and which of them would be refused."""

    steps: Sequence[Step]
    state: State
    revision: str
    held: frozenset[str]
    refused: list[tuple[Step, ServiceError]] = field(default_factory=list)
    violated: ConstraintViolated | None = None
    broken: set[str] = field(default_factory=set)  # what a refused step would have created
    events: list[dict[str, object]] = field(default_factory=list)  # rows of the trail
    # Ids of accounts with other permissions afterwards, though none of their assignments change.
    outdated: set[str] = field(default_factory=set)

    @property
    def hash(self) -> str:
        """Covers the steps, and the revision and the domain that they were computed for."""
        domain = where(self.state.clearance.domain)
        facts = {"revision": self.revision, "steps": [[step.op, step.facts] for step in self.steps], **domain}
        return hashlib.sha256(canonical(facts).encode()).hexdigest()

    def is_hopeless(self, step: Step) -> bool:
        """Whether a step needs what a refused one would have created: a second refusal would be no news."""
        hopeless = not self.broken.isdisjoint(_needed(step))
        if hopeless:
            self.note_unmade(step)
        return hopeless

    def note_unmade(self, step: Step) -> None:
        """Note what a refused step would have created."""
        if step.op in ("role.create", "permission.create"):
            self.broken.add(step.facts["name"])
        elif step.op == "domain.create":
            self.broken.add(_place(step.facts["name"]))

    def require_permitted(self) -> None:
        """Raise the first refusal."""
        for _, refusal in self.refused:
            raise refusal
        if self.violated is not None:
            raise self.violated


def _needed(step: Step) -> set[str]:
    """What a step names."""
    facts = step.facts
    if step.op.startswith("domain."):
        return {_place(one) for one in lineage(facts["name"])}
    named = {facts[key] for key in _REFERENCES if isinstance(facts.get(key), str)}
    named.update(facts.get("permissions", ()), facts.get("roles", ()))
    return named | ({_place(facts["domain"])} if "domain" in facts else set())


def _place(domain: str) -> str:
    """The domain, as it cannot be confused with a role of the same name."""
    return f"domain {domain}"
