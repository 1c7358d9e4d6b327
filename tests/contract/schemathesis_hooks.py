"""What Schemathesis may not hold against the service, each with its reason; everything else fails the run.

Loaded by Schemathesis itself (`SCHEMATHESIS_HOOKS`). A failure is forgiven by the problem code of the answer, never by a mere
status: the same status with another code still fails.
"""

from typing import Any

import requests
import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.openapi.checks import MissingHeaderNotRejected, RejectedPositiveData, UndefinedStatusCode

FORGIVEN: dict[type[Failure], dict[str, str]] = {
    RejectedPositiveData: {
        "etag.stale": "somebody else's ETag, or that of a moment ago",
        "cursor.invalid": "cursors are signed by the service",
        "username.invalid": "a schema cannot name every invisible character",
        "expires_at.refused": "a schema does not know what time it is",
        "expires_at.past": "a schema does not know what time it is",
        "starts_at.past": "a schema does not know what time it is",
        "starts_at.begun": "what has begun does not begin again",
        "tree.size": "a schema does not know how many events there are",
        "at.future": "a schema does not know what time it is",
        "expires_at.before_start": "a schema cannot compare two moments",
        "to.before_from": "a schema cannot compare two moments",
        "field.either": "the schema of a query cannot say that it needs one of two arguments",
        "field.fraction": "to JSON Schema 1.0 is an integer, here it is none",
        "field.together": "a schema cannot say what goes together in a document",
        "limit.invalid": "a schema cannot compare a number with the length of a list",
        "roles.too_few": "how many it takes depends on the kind",
        "duration.too_long": "for how long depends on the assignment",
        "max_duration.not_eligible": "goes with a mode alone",
        "mode.not_eligible": "depends on whose role it is",
        "policy.name_unknown": "names are of this database",
        "policy.entry_invalid": "only built-in roles have grants",
        "policy.outside": "what is outside depends on the domain that is asked for",
        "policy.users": "one format for seeds and documents, which bring no people",
        "revocation.incomplete": "a schema cannot say legibly what a dry run may leave out",
        "oauth.invalid_grant": "refresh tokens are signed by the service",
        "oauth.invalid_request": "a schema cannot say which parameters go together",
        "authzen.invalid_request": "a schema cannot say that a question needs what no default gives it",
        "oauth.unauthorized_client": "a token is revoked by whose it is",
        "password.refused": "a schema cannot say which passwords are common or made of one's own name",
    },
    AcceptedNegativeData: {
        "etag.stale": "412 refuses a garbled If-Match as well (RFC 9110 section 13.1.1)",
        "request.uri_too_long": "414 refuses what is far too long before any route sees it",
    },
    UndefinedStatusCode: {
        "request.uri_too_long": "the server answers it, at any address, before there is a route"
    },
    MissingHeaderNotRejected: {"etag.required": "428 is the very status for it (RFC 6585 section 3)"},
}
# The schema of a document in `openapi.json` says less than `/schemas/policy.json`, which has conditions and is held against the reader
# by a test of its own (tests/decision/test_document_form.py).
DOCUMENTS = ("/v1/policy/plan", "/v1/policy/apply")
TAKEN = "nora.lindqvist"  # the document's example; made once, she exists, and every request after that would end alike


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """False drops a failure."""
    forgiven = set(FORGIVEN.get(type(failure), {}))
    if type(failure) is RejectedPositiveData and case.operation.path in DOCUMENTS:
        forgiven |= {"field.invalid", "field.required"}
    return not (forgiven and codes(response) <= forgiven)


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Give good requests what no generator can know, or none would get past the first refusal."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    sent = case.headers
    if "If-Match" in sent:  # the present ETag
        address = f"{case.operation.base_url.rstrip('/')}{case.formatted_path}"
        read = requests.get(address, headers={"Authorization": sent.get("Authorization", "")}, timeout=60)
        sent["If-Match"] = read.headers.get("ETag", sent["If-Match"])
    if "Idempotency-Key" in sent:  # a new one
        sent["Idempotency-Key"] = case.id
    if isinstance(case.body, dict) and case.body.get("username") == TAKEN:  # somebody new
        case.body["username"] = f"{TAKEN}.{case.id}"


def codes(response: Response) -> set[str]:
    """The problem's code, or those of its faults where it is the general one."""
    kind = response.headers.get("content-type", [""])[0]
    told = response.json() if kind.startswith("application/json") else None
    if isinstance(told, str) and response.status_code == 400:  # of the AuthZEN endpoints
        return {"authzen.invalid_request"}
    if isinstance(told, dict) and "error" in told:  # of the OAuth endpoints
        return {f"oauth.{told['error']}"}
    if not kind.startswith("application/problem+json"):
        return {"no problem document"}
    problem = response.json()
    if problem["code"] == "request.invalid":
        return {fault["code"] for fault in problem["errors"]}
    return {problem["code"]}
