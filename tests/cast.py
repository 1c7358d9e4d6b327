"""The cast.  Everybody who appears in a test, and what each may do; nobody else is there when the curtain rises.

Alice    holds ``admin``
Bob      holds ``role-manager``: manages users, roles and assignments, and may use the application's invoices
Carol    holds ``auditor``: reads everything of this service, changes nothing
Dave     holds no role
Mallory  held ``role-manager``, and is disabled
"""

from dataclasses import dataclass

PASSWORD = "tulip lantern gravel 42"
NEW_PASSWORD = "marble otter quilts the fjord"

PERMISSIONS = {
    "invoices:read": "Read invoices.",
    "invoices:approve": "Approve invoices.",
    "payments:release": "Release payments.",
}
BOBS_PERMISSIONS = (
    "users:read", "users:create", "users:update", "users:delete", "users:reset-password", "roles:read", "roles:create", "roles:update",
    "roles:delete", "permissions:read", "permissions:create", "permissions:delete", "assignments:create", "assignments:revoke",
    "sessions:read", "sessions:revoke", "invoices:read", "invoices:approve",
)  # fmt: skip


@dataclass(frozen=True)
class Character:
    """Somebody with a password of her own."""

    username: str
    role: str | None = None
    disabled: bool = False


ALICE = Character("alice", "admin")
BOB = Character("bob", "role-manager")
CAROL = Character("carol", "auditor")
DAVE = Character("dave")
MALLORY = Character("mallory", "role-manager", disabled=True)
CAST = (ALICE, BOB, CAROL, DAVE, MALLORY)
