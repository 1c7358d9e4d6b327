"""Errors of service accounts and their secrets."""

from __future__ import annotations

from rbac_api.errors import Conflict, NotFound


class ServiceAccountNotFound(NotFound):
    code = "service_account.not_found"
    title = "No such service account"
    default_detail = "There is no service account with this id. List them with GET /v1/service-accounts."


class ServiceAccountNameTaken(Conflict):
    code = "service_account.name_taken"
    title = "The name is taken"
    default_detail = "This name is, or was, used by a user or service account. Choose another."


class ClientSecretNotFound(NotFound):
    code = "client_secret.not_found"
    title = "No such secret"
    default_detail = "This service account has no secret with this id, or it was already withdrawn."


class TooManySecrets(Conflict):
    code = "client_secret.too_many"
    title = "The service account has too many secrets"
    default_detail = (
        "This service account already has five active secrets. Withdraw one that is no longer used."
    )
