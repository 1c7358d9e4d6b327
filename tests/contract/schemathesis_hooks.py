"""What Schemathesis may not hold against the service, each with its reason; everything else fails the run.

Loaded by Schemathesis itself (`SCHEMATHESIS_HOOKS`). A failure is forgiven by the problem code of the answer, never by a mere
status: the same status with another code still fails.
"""

import requests
import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import MissingHeaderNotRejected, RejectedPositiveData

FORGIVEN = {
    RejectedPositiveData: {
        "etag.stale": "somebody else's ETag, or that of a moment ago",
        "cursor.invalid": "cursors are signed by the service",
        "username.invalid": "a schema cannot name every invisible character",
        "password.refused": "a schema cannot say which passwords are common or made of one's own name",
    },
    AcceptedNegativeData: {
        "etag.stale": "412 refuses a garbled If-Match as well as 400 would (RFC 9110 section 13.1.1)"
    },
    MissingHeaderNotRejected: {"etag.required": "428 is the very status for it (RFC 6585 section 3)"},
}

TAKEN = "ingrid.solberg"  # the example of the document, who exists after the first request


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """False drops a failure."""
    forgiven = FORGIVEN.get(type(failure), {})
    return not (forgiven and codes(response) <= forgiven.keys())


@schemathesis.hook
def before_call(context, case, kwargs):
    """Give good requests what no generator can know, or they would all end at the same refusal."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    sent = case.headers or {}
    if "If-Match" in sent:  # the present ETag
        address = case.operation.base_url.rstrip("/") + case.formatted_path
        read = requests.get(address, headers={"Authorization": sent.get("Authorization", "")}, timeout=20)
        sent["If-Match"] = read.headers.get("ETag", sent["If-Match"])
    if "Idempotency-Key" in sent:  # a new one
        sent["Idempotency-Key"] = case.id
    if isinstance(case.body, dict) and case.body.get("username") == TAKEN:  # somebody new
        case.body["username"] = f"{TAKEN}.{case.id}"


def codes(response):
    """The problem's code, or those of its faults where it is the general one."""
    if not response.headers.get("content-type", [""])[0].startswith("application/problem+json"):
        return {"no problem document"}
    problem = response.json()
    if problem["code"] == "request.invalid":
        return {fault["code"] for fault in problem["errors"]}
    return {problem["code"]}
