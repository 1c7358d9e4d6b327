"""``flask rbac …``: every command in one place; each stands in the file of its subject."""

from __future__ import annotations

from rbac_api.cli import accounts, assignments, doctor, people, policy, setup, trail
from rbac_api.cli.group import OperatorGroup

rbac = OperatorGroup("rbac", help="Set up, inspect and repair this service.")

for command in (
    setup.init,
    setup.adopt,
    setup.seed,
    accounts.create_admin,
    accounts.recover_admin,
    people.users,
    people.sessions,
    assignments.assignments,
    policy.policy,
    trail.audit,
    setup.keys,
    setup.openapi,
    doctor.doctor,
):
    rbac.add_command(command)
