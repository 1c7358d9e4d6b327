"""Builds the application: ``create_app``."""

from __future__ import annotations

from flask import Flask

from rbac_api.capabilities.access.routes import blueprint as access
from rbac_api.capabilities.activations.routes import blueprint as activations
from rbac_api.capabilities.assignments.routes import blueprint as assignments
from rbac_api.capabilities.audit.publisher import CheckpointPublisher
from rbac_api.capabilities.audit.routes import blueprint as audit
from rbac_api.capabilities.constraints.routes import blueprint as constraints
from rbac_api.capabilities.domains.routes import blueprint as domains
from rbac_api.capabilities.erasure.routes import blueprint as erasure
from rbac_api.capabilities.evaluation.routes import blueprint as evaluation
from rbac_api.capabilities.incidents.routes import blueprint as incidents
from rbac_api.capabilities.keys.routes import blueprint as keys
from rbac_api.capabilities.me.routes import blueprint as me
from rbac_api.capabilities.oauth.routes import blueprint as oauth
from rbac_api.capabilities.oauth.routes import register_issuer_path
from rbac_api.capabilities.offline_roles.routes import blueprint as offline_roles
from rbac_api.capabilities.operation.figures import Facts
from rbac_api.capabilities.operation.retention import Retention
from rbac_api.capabilities.operation.routes import blueprint as operation
from rbac_api.capabilities.operation.service import recorded_refusals
from rbac_api.capabilities.permissions.routes import blueprint as permissions
from rbac_api.capabilities.policy.routes import blueprint as policy
from rbac_api.capabilities.revocations.routes import blueprint as revocations
from rbac_api.capabilities.role_graph.routes import blueprint as role_graph
from rbac_api.capabilities.roles.routes import blueprint as roles
from rbac_api.capabilities.service_accounts.routes import blueprint as service_accounts
from rbac_api.capabilities.sessions.routes import blueprint as sessions
from rbac_api.capabilities.signin.routes import blueprint as signin
from rbac_api.capabilities.use.routes import blueprint as use
from rbac_api.capabilities.users.routes import blueprint as users
from rbac_api.database.engine import Database
from rbac_api.database.migrate import schema_problem
from rbac_api.database.requirements import requirement_faults
from rbac_api.guard.enforcement.decorators import unguarded_views
from rbac_api.guard.enforcement.guard import Guard
from rbac_api.guard.tokens.credentials import COOKIES
from rbac_api.observability.logs import configure_logs
from rbac_api.observability.metrics import CONNECTIONS, start_at_zero
from rbac_api.sealing import derived_key
from rbac_api.settings import Settings, SettingsRefused, checked
from rbac_api.trail.fields import unclassified
from rbac_api.trail.sequencer import Sequencer
from rbac_api.web.openapi.document import Api
from rbac_api.web.openapi.swagger_ui import register_docs
from rbac_api.web.responses.problems import register_problems
from rbac_api.web.server.http_setup import register_http_setup
from rbac_api.web.server.middleware import register_middleware
from rbac_api.web.server.rate_limits import register_limits
from rbac_api.web.server.start_page import register_start_page

BLUEPRINTS = (
    signin,
    me,
    activations,
    users,
    erasure,
    roles,
    permissions,
    domains,
    assignments,
    constraints,
    access,
    use,
    role_graph,
    policy,
    sessions,
    incidents,
    audit,
    service_accounts,
    oauth,
    evaluation,
    keys,
    operation,
    revocations,
    offline_roles,
)


def create_app(settings: Settings | None = None, *, check_database: bool = True) -> Flask:
    """Return the WSGI application.

    Without ``settings``, they are read from the environment. ``SettingsRefused`` lists every fault of the
    settings, the classification of columns, the database and its schema. ``check_database=False`` does not
    open the database: for a program that sets it up, or only reads the routes.
    """
    settings = checked(settings or Settings.from_environment())
    configure_logs(settings.log_level)
    app = Flask("rbac_api", static_folder=None)
    app.config["RBAC_CURSOR_KEY"] = derived_key(settings.secret_key, "cursor")
    register_http_setup(app, settings)
    app.extensions["rbac-tally"] = register_middleware(app, settings)
    register_problems(app)
    guard = Guard(app, settings, Database(settings))
    register_limits(app, guard.limits)
    guard.bearer.register(app)
    _register_figures(app, guard)
    app.extensions["rbac-retention"] = Retention(settings, guard.database)
    guard.begin.add(app.extensions["rbac-retention"].start)
    app.extensions["rbac-checkpoints"] = CheckpointPublisher(settings, guard.database)
    guard.begin.add(app.extensions["rbac-checkpoints"].start)
    app.extensions["rbac-sequencer"] = Sequencer(guard.database)
    guard.begin.add(app.extensions["rbac-sequencer"].start)
    _register_routes(app, settings)
    _refuse_faults(app, guard, check_database)
    return app


def _register_figures(app: Flask, guard: Guard) -> None:
    app.extensions["rbac-facts"] = Facts(guard.database)
    start_at_zero(recorded_refusals())
    guard.database.watch_pool(CONNECTIONS.inc, CONNECTIONS.dec)


def close_app(app: Flask) -> None:
    """Close an application's threads and connections; for tests and for programs that make several."""
    app.extensions["rbac-retention"].close()
    app.extensions["rbac-checkpoints"].close()
    app.extensions["rbac-sequencer"].close()
    app.extensions["rbac-api"].close()
    app.extensions["rbac-tally"].close()


def _register_routes(app: Flask, settings: Settings) -> None:
    api = Api(app)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    register_issuer_path(app, settings)
    api.serve_document()
    app.extensions["rbac-openapi"] = api
    register_start_page(app, docs=settings.docs)
    if settings.docs:
        register_docs(app, frozenset(COOKIES.values()))


def _refuse_faults(app: Flask, guard: Guard, check_database: bool) -> None:
    faults = [
        f"{view} has no guard: put @requires, @requires_role, @admin_required or @public on it"
        for view in unguarded_views(app)
    ]
    faults += [f"column {column} is not classified in trail/fields.py" for column in unclassified()]
    if check_database:
        faults += requirement_faults(guard.database)
        problem = schema_problem(guard.database)
        faults += [problem] if problem else []
    if faults:
        close_app(app)
        raise SettingsRefused(faults)
