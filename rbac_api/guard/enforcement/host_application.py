"""Guards the routes of another Flask application (the host), which stays as it is: see ``protect``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import Flask, Response, current_app, request

from rbac_api.database.constraints import DatabaseDown
from rbac_api.database.engine import Database
from rbac_api.database.requirements import requirement_faults
from rbac_api.errors import ServiceError
from rbac_api.guard.enforcement.guard import EXTENSION, Guard
from rbac_api.guard.enforcement.rules import Rule
from rbac_api.observability.logs import REQUEST_ID, log, request_id
from rbac_api.settings import Settings, SettingsRefused, checked
from rbac_api.web.responses.problems import problem_body, problem_document
from rbac_api.web.server.middleware import name_request


def protect(app: Flask, settings: Settings) -> Guard:
    """Make the decorators work in an application of your own, on the database that this service uses.

    Adds one entry to ``app.extensions`` and changes nothing else: no route, hook, error handler or
    configuration value.  Raises ``SettingsRefused`` for settings that this service would refuse, or for a
    database that does not meet its requirements.
    """
    if EXTENSION in app.extensions:
        raise RuntimeError(
            "this application has a guard already: call protect() once, and not on an application of"
            " create_app()"
        )
    settings = checked(settings)
    database = Database(settings)
    _require_fit(database)
    return HostGuard(app, settings, database)


def _require_fit(database: Database) -> None:
    """Check the database as this service does at its start.  One that does not answer yet is no fault: the
    host may offer more than this."""
    try:
        with suppress(DatabaseDown):
            if faults := requirement_faults(database):
                raise SettingsRefused(faults)
    finally:
        database.dispose()  # the host's server may fork after this


class HostGuard(Guard):
    """Answers its own refusals: raised errors would reach the host's error handlers, where a blueprint's
    comes first."""

    def authorize(
        self, view: Callable[..., Any], rule: Rule, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> Response:
        """Enforce as in this service; a view that is a coroutine runs as the host runs its others."""
        ready = current_app.ensure_sync(view)
        _name_request()
        try:
            return super().authorize(ready, rule, args, kwargs)
        except ServiceError as refusal:
            return self._refused(refusal)

    def run_public(self, view: Callable[[], object]) -> object:
        """Run a public view as in this service."""
        _name_request()
        try:
            return super().run_public(view)
        except ServiceError as refusal:
            return self._refused(refusal)

    def _refused(self, refusal: ServiceError) -> Response:
        if refusal.internal:
            log.warning("request.refused", code=refusal.code, internal=refusal.internal)
        body = problem_body(refusal, request_id())
        # The page about the problem is on the service, not on the host.
        body["type"] = f"{self.settings.issuer_url}{body['type']}"
        return problem_document(refusal, body)


def _name_request() -> None:
    """Give the request an id, so that the trail records the same one as the answer."""
    environ = request.environ
    environ[REQUEST_ID] = environ.get(REQUEST_ID) or name_request(environ)
