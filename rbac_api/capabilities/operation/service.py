"""Health, readiness, public keys, metrics, the catalogue of problems."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client import REGISTRY as OWN_REGISTRY
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import MutexValue, ValueClass

from rbac_api.capabilities.operation.figures import Facts
from rbac_api.database.migrate import schema_problem
from rbac_api.database.requirements import recent_results
from rbac_api.errors import ServiceError
from rbac_api.formats.http_errors import status_of
from rbac_api.guard.enforcement.runtime import Runtime
from rbac_api.guard.tokens.installation import INSTANCE_KEY, REMEDY, differences
from rbac_api.guard.tokens.keys import KEY_PROBLEMS

_REPLACED = "the database file was removed or replaced while in use; restart this service"


def readiness(runtime: Runtime) -> dict[str, object]:
    """``{ready, checks: [{name, ok, detail}]}``: the database answers, its schema is current, a key signs,
    roles have no cycle."""
    checks = list(_checks(runtime))
    return {"ready": all(check["ok"] for check in checks), "checks": checks}


def public_keys(runtime: Runtime) -> list[dict[str, str]]:
    """The members of the JWK Set (RFC 7517 section 5): the public parts of verifying keys; none with a shared
    secret."""
    return runtime.snapshot.keyring.published()


def metrics(facts: Facts) -> tuple[bytes, str]:
    """Prometheus text over all workers of this service, with facts about the installation, and its media
    type."""
    registry: CollectorRegistry = OWN_REGISTRY
    if ValueClass is not MutexValue:  # several processes share a folder: PROMETHEUS_MULTIPROC_DIR
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry) + facts.text(), CONTENT_TYPE_LATEST


def find_problem(code: str) -> dict[str, object] | None:
    """What a problem code means; of a class and a subclass with the same code, the subclass."""
    named = [error for error in problems() if error.code == code]
    if not named:
        return None
    error = named[-1]
    return {"code": code, "title": error.title, "status": status_of(error), "detail": error.default_detail}


def recorded_refusals() -> list[str]:
    """The codes of the problems whose refusals are recorded and counted."""
    return sorted({error.code for error in problems() if error.recorded})


def problems(root: type[ServiceError] = ServiceError) -> Iterator[type[ServiceError]]:
    """Every error class of this service, each before its subclasses."""
    for child in root.__subclasses__():
        yield child
        yield from problems(child)


def _checks(runtime: Runtime) -> Iterator[dict[str, object]]:
    try:
        problem = schema_problem(runtime.database)
        replaced = runtime.database.replaced()
        yield {"name": "database", "ok": not replaced, "detail": _REPLACED if replaced else "answers"}
        yield from _ground_checks(runtime)
        yield {"name": "schema", "ok": problem is None, "detail": problem or "up to date"}
        if problem is None:
            yield from _state_checks(runtime)
    except ServiceError as fault:
        yield {"name": "database", "ok": False, "detail": fault.detail}


def _ground_checks(runtime: Runtime) -> Iterator[dict[str, object]]:
    """Checks beyond the schema, each listed only if it fails."""
    for result in recent_results(runtime.database):
        if not result.met:
            yield {"name": result.need.name, "ok": False, "detail": f"{result.detail}. {result.need.remedy}"}


def _key_check(runtime: Runtime) -> dict[str, object]:
    try:
        return {"name": "signing key", "ok": True, "detail": runtime.snapshot.keyring.active().algorithm}
    except KEY_PROBLEMS as fault:
        return {"name": "signing key", "ok": False, "detail": fault.detail}


def _instance_check(runtime: Runtime, *, sealed: bool) -> Iterator[dict[str, object]]:
    """Listed only if it fails; if the secret opens no key, the check of the key has said so already."""
    with runtime.database.reading() as connection:
        found = differences(connection, runtime.settings)
    failed = [sentence for name, sentence in found.items() if name != INSTANCE_KEY or not sealed]
    if failed:
        yield {"name": "instance", "ok": False, "detail": f"{'; '.join(failed)}. {REMEDY}"}


def _state_checks(runtime: Runtime) -> Iterator[dict[str, object]]:
    key = _key_check(runtime)
    yield key
    yield from _instance_check(runtime, sealed=not key["ok"])
    runtime.snapshot.freshen()
    cycles = runtime.snapshot.graph().cycles
    detail = "; ".join(" > ".join(cycle) for cycle in cycles)
    yield {
        "name": "role_cycle",
        "ok": not cycles,
        "detail": f"these roles inherit each other: {detail}" if cycles else "none",
    }
