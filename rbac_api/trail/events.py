"""Defines the catalogue of events: ``thing.happened``, a sentence, and whose state it touches.

``touches`` says what a worker has to forget when it meets the event in the trail's tail.  ``roles``: the
compiled roles and who has them.  ``grants``: only what roles hold and inherit; every user keeps the same
roles.  ``user``: the target and all sessions of that user.  ``session``: the target.  ``sessions``: all of
them.  ``keys``: the signing keys and all sessions.  ``domain``: whether the target exists.  ``denylist``, or
nothing.

An event that touches something is announced to all workers when it commits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Touched = Literal["roles", "grants", "user", "session", "sessions", "keys", "denylist", "domain"]


@dataclass(frozen=True, slots=True)
class EventKind:
    """One line of the catalogue."""

    action: str
    sentence: str
    touches: Touched | None = None


CATALOGUE: dict[str, EventKind] = {
    kind.action: kind
    for kind in (
        EventKind("access.refused", "A known actor asked for something and was refused."),
        EventKind("activation.created", "A user made a role active in a session.", "session"),
        EventKind("activation.ended", "A user dropped a role from a session.", "session"),
        EventKind("admin.created", "An administrator was created outside the API, by the operator.", "user"),
        EventKind("admin.recovered", "The operator restored an administrator, offline.", "user"),
        EventKind("assignment.created", "A user was given a role.", "user"),
        EventKind("assignment.ended", "A user's role was taken away.", "user"),
        EventKind("assignment.updated", "The times or the terms of an assignment changed.", "user"),
        EventKind("audit.exported", "The trail was exported."),
        EventKind("audit.read", "The trail was read."),
        EventKind("client.failed", "A service account's credentials were refused."),
        EventKind("client.signed_in", "A service account took an access token: a session began."),
        EventKind("client_secret.created", "A service account was given a secret."),
        EventKind(
            "client_secret.withdrawn",
            "A service account's secret was withdrawn; the sessions begun with it ended.",
            "user",
        ),
        EventKind("constraint.created", "A constraint on roles was created.", "grants"),
        EventKind("constraint.deleted", "A constraint on roles was deleted.", "grants"),
        EventKind("domain.created", "A domain was created.", "domain"),
        EventKind("domain.deleted", "A domain was deleted.", "domain"),
        EventKind("domain.updated", "A domain's title or description changed."),
        EventKind("incident.closed", "An incident was closed."),
        EventKind("incident.opened", "Something happened that an administrator should look at."),
        EventKind("inheritance.created", "A role began to inherit another.", "grants"),
        EventKind("inheritance.ended", "A role ceased to inherit another.", "grants"),
        EventKind(
            "issuer.changed",
            "The operator changed the issuer or the audience of all nodes; earlier tokens are refused, and"
            " their"
            " sessions ended.",
            "sessions",
        ),
        EventKind("key.created", "A signing key was made.", "keys"),
        EventKind(
            "key.rotated",
            "A new signing key was published and signs from a moment on; the previous one verifies until its"
            " tokens have expired.",
            "keys",
        ),
        EventKind(
            "key.withdrawn",
            "A signing key was withdrawn: all its tokens are invalid, and the sessions without newer tokens"
            " ended.",
            "keys",
        ),
        EventKind(
            "password.changed", "A user changed their own password; their other sessions ended.", "user"
        ),
        EventKind(
            "password.reset",
            "A user's password was reset; all of the user's sessions ended.",
            "user",
        ),
        EventKind(
            "password.set",
            "A user chose a password with a setup token; all of the user's sessions ended.",
            "user",
        ),
        EventKind("permission.created", "A permission was created.", "grants"),
        EventKind("permission.deleted", "A permission was deleted, and every role lost it.", "grants"),
        EventKind("permission.granted", "A role was given a permission.", "grants"),
        EventKind(
            "permission.updated",
            "A permission's description changed, or one of this service was restored to what is built in.",
            "grants",
        ),
        EventKind("permission.withdrawn", "A role lost a permission.", "grants"),
        EventKind("policy.applied", "A policy document was applied.", "roles"),
        EventKind("policy.reverted", "What a policy document had changed was undone.", "roles"),
        EventKind("role.created", "A role was created.", "roles"),
        EventKind("role.deleted", "A role was deleted.", "roles"),
        EventKind(
            "role.updated", "A role's description, or whether it requires a second factor, changed.", "roles"
        ),
        EventKind("seed.loaded", "A seed document was loaded.", "roles"),
        EventKind("service_account.created", "A service account was created."),
        EventKind(
            "service_account.deleted",
            "A service account was deleted: sessions, secrets and assignments ended.",
            "user",
        ),
        EventKind(
            "service_account.disabled", "A service account was disabled: all its sessions ended.", "user"
        ),
        EventKind("service_account.enabled", "A disabled service account was enabled again.", "user"),
        EventKind("service_account.updated", "A service account's description changed.", "user"),
        EventKind("session.ended", "A session ended.", "session"),
        EventKind("sessions.ended", "All of a user's sessions were ended.", "user"),
        EventKind(
            "sessions.revoked",
            "Sessions that match a filter were ended, whichever user they belong to.",
            "sessions",
        ),
        EventKind("signin.failed", "A sign-in failed."),
        EventKind("signin.locked", "Too many sign-ins failed: the account is locked for a time."),
        EventKind("signin.succeeded", "A user signed in: a session began."),
        EventKind("token.reused", "A spent refresh token came back: the session was ended.", "session"),
        EventKind("token.revoked", "One access token was revoked before its time.", "denylist"),
        EventKind("token.rotated", "A refresh token was exchanged for its successor."),
        EventKind(
            "totp.confirmed", "A user confirmed a second factor: signing in asks for it from now on.", "user"
        ),
        EventKind("totp.enrolled", "A user began to set up a second factor."),
        EventKind("totp.recovered", "A user signed in with a recovery code, which is spent."),
        EventKind("totp.removed", "A second factor was removed.", "user"),
        EventKind("user.created", "A user was created."),
        EventKind("user.deleted", "A user was deleted: sessions and assignments ended.", "user"),
        EventKind("user.disabled", "A user was disabled: all sessions ended.", "user"),
        EventKind("user.enabled", "A disabled user was enabled again.", "user"),
        EventKind("user.erased", "The personal data of a deleted user was erased.", "user"),
        EventKind("user.unlocked", "The delay or lock after failed sign-ins of a user was lifted."),
        EventKind("user.updated", "A user's profile changed.", "user"),
    )
}
