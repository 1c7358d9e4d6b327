"""Errors of users."""

from __future__ import annotations

from rbac_api.errors import Conflict, NotFound, Unauthenticated


class UserNotFound(NotFound):
    code = "user.not_found"
    title = "No such user"
    default_detail = "There is no user with this id. List them with GET /v1/users."


class UserNotDeleted(Conflict):
    code = "user.not_deleted"
    title = "The user is not deleted"
    default_detail = (
        "Only the personal data of a deleted user can be erased. Delete the user first, with DELETE"
        " /v1/users/{id}."
    )


class UserErased(Conflict):
    code = "user.erased"
    title = "The user's personal data was already erased"
    default_detail = (
        "The personal data of this user was erased before. The audit trail has the event user.erased."
    )


class UsernameTaken(Conflict):
    code = "user.username_taken"
    title = "The username is taken"
    default_detail = (
        "This username, or one that differs only in case or Unicode form, is or was in use. Choose another."
    )


class SetupTokenInvalid(Unauthenticated):
    """One answer: the token is unknown, spent, replaced by a newer one, expired, or from a user who now holds
    less than this one."""

    code = "setup_token.invalid"
    title = "The setup token is not valid"
    default_detail = (
        "This setup token is unknown, expired, already used, or was issued by an administrator who holds "
        "less than"
        " you do by now. Ask an administrator for a new one."
    )
    challenge = "invalid_token"
