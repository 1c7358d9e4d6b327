"""The service against the model of domains and delegated administration, command by command, over HTTP, on both engines at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from rbac_api.guard.enforcement.authority import Authority
from rbac_api.guard.enforcement.clearance import Clearance
from tests.conftest import Stages
from tests.journeys.domain_model import ADMIN
from tests.journeys.domains_in_lock_step import DomainsInLockStep
from tests.sizes import SOAK, sized

RUNS, STEPS = sized(5, 300), 50
pytestmark = pytest.mark.outside


@pytest.mark.soak
def test_the_service_and_the_model_agree_on_every_command(stages: Stages) -> None:
    machine = type("Machine", (DomainsInLockStep,), {"stages": stages})
    given = settings(
        max_examples=RUNS,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=not SOAK,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    run_state_machine_as_test(machine, settings=given)


def unasked(self: Authority, home: str, *_: object) -> Authority:
    assert self.connection  # the decision is made again as it opens
    self.work.undecided = False
    return self._replace(domain=home)


TWINS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "home": lambda patch: patch.setattr(Authority, "over", unasked),
    "hand out": lambda patch: patch.setattr(Authority, "require_held", lambda *_: None),
    "strength": lambda patch: patch.setattr(Clearance, "require_outranks_at", lambda *_: None),
    "domain": lambda patch: patch.setattr(Authority, "at", unasked),
}


# The administrator prepares, and u2, who keeps the users of acme.eu and works there, does what is not for u2 to do.
STORIES = {
    "home": (("add_user", ADMIN, "u4", "globex"), ("delete_user", "s2", "u4")),
    "hand out": (("delete_user", "s2", "u4"), ("assign", "s2", "u3", "leader", "acme.eu")),
    "strength": (("assign", ADMIN, "u3", "leader", "acme-eu"), ("delete_user", "s2", "u3")),
    "domain": (("delete_user", "s2", "u4"), ("add_user", "s2", "u4", "acme")),
}


@pytest.mark.parametrize("twin", TWINS)
def test_a_missing_guard_is_noticed(
    stages: Stages, engine: str, monkeypatch: pytest.MonkeyPatch, twin: str
) -> None:
    """The last command of a story is refused by both; without the guard the service accepts it, which the machine notices."""
    prepared, tried = STORIES[twin]
    for patched in (False, True):
        machine = type("Machine", (DomainsInLockStep,), {"stages": stages, "engines": (engine,)})()
        machine.begin(set())
        machine.do(*prepared)
        if not patched:
            machine.do(*tried)
            continue
        TWINS[twin](monkeypatch)
        with pytest.raises(AssertionError, match="the model says False"):
            machine.do(*tried)
