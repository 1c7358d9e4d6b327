"""What a document comes to: a computed policy, ready to be written. Part of the service."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.capabilities.policy.state import State
from rbac_api.decision.difference import Step
from rbac_api.errors import ServiceError
from rbac_api.trail.canonical_form import canonical


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
        """Covers the steps, and the revision they were computed for."""
        facts = {"revision": self.revision, "steps": [[step.op, step.facts] for step in self.steps]}
        return hashlib.sha256(canonical(facts).encode()).hexdigest()

    def require_permitted(self) -> None:
        """Raise the first refusal."""
        for _, refusal in self.refused:
            raise refusal
        if self.violated is not None:
            raise self.violated
