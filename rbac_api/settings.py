"""All settings, read once and checked as a whole.

``Settings`` is frozen; ``Settings.from_environment`` is the only reader of the environment. A secret ``NAME``
may also be given as ``NAME_FILE``, the path of a file with the secret. Each field's ``metadata`` has the
variable's name and its meaning; a test compares them with ``docs/settings.md``. ``faults`` lists *all*
errors, so that an operator can correct them in one step.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from rbac_api import value_checks
from rbac_api.environment import (
    kept_secret,
    present_environment,
    read_value,
    secret,
    secret_faults,
    setting,
)
from rbac_api.errors import ServiceError

ALGORITHMS = ("EdDSA", "ES256", "RS256", "HS256")
LOWEST_COST, HIGHEST_COST = 10, 16
CHEAPEST = 4  # the minimum of bcrypt; programs that make their own ``Settings``, such as tests, may use it
_COST_FAULT = f"RBAC_PASSWORD_COST must be from {LOWEST_COST} to {HIGHEST_COST}"


class SettingsRefused(ServiceError):
    """The settings are invalid. ``faults`` lists every reason, and no value of a secret."""

    code = "settings.refused"
    title = "The settings are refused"

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("The settings are refused:\n" + "\n".join(f"  - {fault}" for fault in faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings. Durations are whole seconds; sizes are bytes; an empty string means "not set"."""

    # fmt: off
    host: str = setting("HOST", "address that `make run` and `rbac-api serve` listen on", "127.0.0.1")
    port: int = setting("PORT", "port to listen on; 0 picks a free one", 8000, bounds=(0, 65535))
    workers: int = setting("RBAC_WORKERS", "server processes; 0 chooses 1 on SQLite, one per core otherwise", 0, bounds=(0, 256))
    threads: int = setting("RBAC_THREADS", "threads in each process for ordinary requests", 8, bounds=(1, 256))
    signin_queue: int = setting(
        "RBAC_SIGNIN_QUEUE", "sign-ins per process that may wait for the password hasher; further ones get 503 at once",
        32, bounds=(1, 1024))
    hashers: int = setting(
        "RBAC_HASHERS", "concurrent password hashes per process; 0 divides the cores among the workers, at least two", 0, bounds=(0, 256))
    keepalive_seconds: int = setting(
        "RBAC_KEEPALIVE_SECONDS", "how long an idle connection stays open; more than your load balancer reuses it", 75, bounds=(1, 3600))
    address_connections: int = setting(
        "RBAC_ADDRESS_CONNECTIONS", "open connections per client address (IPv6: /64) and process; not applied behind trusted proxies",
        1024, bounds=(1, 65535))
    data_dir: str = setting("RBAC_DATA_DIR", "folder for generated secrets and the embedded database", "instance")
    database_url: str = secret("RBAC_DATABASE_URL", "`postgresql://…` for more than one node", shown="`sqlite:///<data dir>/rbac.db`")
    database_timeout: int = setting(
        "RBAC_DATABASE_TIMEOUT_SECONDS", "how long a request waits for the database or its write lock before 503", 5, bounds=(1, 60))
    redis_url: str = secret("RBAC_REDIS_URL", "`redis://…`: shared counters for rate limits, published denylist", shown="none")
    checkpoint_url: str = secret(
        "RBAC_CHECKPOINT_URL", "`http://…` or `https://…` address to which each daily checkpoint of the trail is posted", shown="none")
    secret_key: str = secret(
        "RBAC_SECRET_KEY", "instance secret (peppers, key encryption, cursors, HS256); at least 32 bytes",
        shown="generated in the embedded default, else required")
    issuer: str = setting("RBAC_ISSUER", "`iss` of every token", "", shown="`http://<HOST>:<PORT>`")
    audience: str = setting("RBAC_AUDIENCE", "`aud` of access tokens", "rbac-api")
    signing_algorithm: str = setting("RBAC_SIGNING_ALGORITHM", "`EdDSA`, `ES256`, `RS256` or `HS256`", "EdDSA")
    signing_key: str = secret(
        "RBAC_SIGNING_KEY", "private signing key as PEM, instead of a generated one stored in the database", shown="none")
    access_token_seconds: int = setting("RBAC_ACCESS_TOKEN_SECONDS", "lifetime of an access token", 900)
    refresh_token_seconds: int = setting(
        "RBAC_REFRESH_TOKEN_SECONDS", "lifetime of a refresh token, and so the idle timeout of a session", 3600)
    session_seconds: int = setting(
        "RBAC_SESSION_SECONDS", "absolute lifetime of a session, never extended by refreshing", 43200, bounds=(1, 365 * 86400))
    refresh_leeway_seconds: int = setting(
        "RBAC_REFRESH_LEEWAY_SECONDS", "how long a retry with a spent refresh token gets the same successor", 10, bounds=(0, 60))
    clock_leeway_seconds: int = setting(
        "RBAC_CLOCK_LEEWAY_SECONDS", "allowed difference between the clocks of two nodes", 5, bounds=(0, 60))
    max_sessions: int = setting(
        "RBAC_MAX_SESSIONS", "active sessions of a person; one more ends the oldest (service accounts: no limit)", 100, bounds=(1, 10_000))
    recent_signin_seconds: int = setting(
        "RBAC_RECENT_SIGNIN_SECONDS", "maximum age of the sign-in for sensitive writes (RFC 9470)", 3600, bounds=(1, 86400))
    activation_seconds: int = setting(
        "RBAC_ACTIVATION_SECONDS", "maximum duration of a role activation, unless the assignment sets its own", 28800,
        bounds=(60, 86400))
    key_rotation: int = setting(
        "RBAC_KEY_ROTATION", "seconds after which the signing key is rotated automatically; 0 turns this off", 0,
        bounds=(0, 10 * 365 * 86400))
    jwks_seconds: int = setting(
        "RBAC_JWKS_SECONDS", "how long the public keys may be cached; a new signing key is published that long before it signs", 300,
        bounds=(1, 86400))
    revocation_seconds: int = setting(
        "RBAC_REVOCATION_SECONDS", "how long the revocation feed may be cached; adds to the delay of verifiers", 5, bounds=(1, 300))
    client_secret_seconds: int = setting(
        "RBAC_CLIENT_SECRET_SECONDS", "lifetime of a client secret, unless a shorter one is requested", 365 * 86400,
        bounds=(60, 10 * 365 * 86400))
    token_limit: str = setting(
        "RBAC_TOKEN_LIMIT", "refresh, token, revocation and introspection requests per address, such as 30 per minute; 200 per hour",
        "6000 per minute")
    account_limit: str = setting(
        "RBAC_ACCOUNT_LIMIT", "changes of one's own account and refreshes per account, from all addresses, such as 300 per minute",
        "300 per minute")
    password_cost: int = setting("RBAC_PASSWORD_COST", "bcrypt cost, 10 to 16", 12)
    password_setup_seconds: int = setting(
        "RBAC_PASSWORD_SETUP_SECONDS", "lifetime of a single-use password setup token", 86400, bounds=(60, 30 * 86400))
    signin_limit: str = setting("RBAC_SIGNIN_LIMIT", "sign-in attempts per address, such as 30 per minute; 200 per hour", "30 per minute")
    ipv6_prefix: int = setting("RBAC_IPV6_PREFIX", "bits of an IPv6 address that count as one client", 64, bounds=(32, 128))
    signin_free_failures: int = setting(
        "RBAC_SIGNIN_FREE_FAILURES", "failed sign-ins per account before the growing delay begins", 5, bounds=(1, 100))
    signin_lock_failures: int = setting(  # at most what NIST SP 800-63B-4 section 3.2.2 allows
        "RBAC_SIGNIN_LOCK_FAILURES", "failed sign-ins after which an account is locked temporarily", 10, bounds=(1, 100))
    signin_lock_seconds: int = setting("RBAC_SIGNIN_LOCK_SECONDS", "how long the lock lasts", 900, bounds=(1, 86400))
    retention_days: int = setting("RBAC_RETENTION_DAYS", "days ended sessions, decisions, closed incidents are kept", 90, bounds=(1, 3650))
    use_retention_days: int = setting(
        "RBAC_USE_RETENTION_DAYS", "days for which it is kept who used which permission", 180, bounds=(1, 3650))
    admin_username: str = setting("RBAC_ADMIN_USERNAME", "name of the first administrator; used only on an empty database", "admin")
    admin_password: str = secret(
        "RBAC_ADMIN_PASSWORD", "password of the first administrator; if set, it need not be changed at first sign-in",
        shown="generated and shown once")
    seed_example: bool | None = setting(
        "RBAC_SEED_EXAMPLE", "load the example company into an empty database", None, shown="on for SQLite, off for PostgreSQL")
    proxy_hops: int = setting("RBAC_PROXY_HOPS", "number of trusted proxies in front; 0 ignores X-Forwarded-*", 0, bounds=(0, 10))
    script_name: str = setting("SCRIPT_NAME", "path prefix under which a proxy serves this service, such as `/rbac`", "", shown="none")
    cors_origins: tuple[str, ...] = setting("RBAC_CORS_ORIGINS", "allowed browser origins, separated by commas", (), shown="none")
    docs: bool = setting("RBAC_DOCS", "serve Swagger UI at /docs, and lead there from /", True, shown="on")
    log_level: str = setting("RBAC_LOG_LEVEL", "`debug`, `info`, `warning` or `error`; `info` logs each request", "info")
    # fmt: on

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read and check the environment (``os.environ`` by default); ``SettingsRefused`` has all faults."""
        source = present_environment() if environ is None else environ
        problems: list[str] = []
        values = {f.name: read_value(source, f.metadata, f.default, problems) for f in fields(cls)}
        values["log_level"] = values["log_level"].strip().lower()
        settings = cls(**values)
        problems += settings.faults(generating=settings.embedded)
        if CHEAPEST <= settings.password_cost < LOWEST_COST:
            problems.append(_COST_FAULT)
        if problems:
            raise SettingsRefused(problems)
        return settings

    @property
    def embedded(self) -> bool:
        """True for the zero-configuration default: SQLite in the data folder, secrets generated there."""
        return not self.database_url

    @property
    def url(self) -> str:
        """The database's URL; by default an SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{Path(self.data_dir).absolute()}/rbac.db"

    @property
    def on_sqlite(self) -> bool:
        """True if the database is a file; then one process is the better default."""
        return self.url.startswith("sqlite")

    @property
    def wants_example(self) -> bool:
        """True if an empty database gets the example company: by default on SQLite, the engine for trials."""
        return self.on_sqlite if self.seed_example is None else self.seed_example

    @property
    def issuer_url(self) -> str:
        """The ``iss`` of tokens: the configured one, or this server's own address."""
        return self.issuer or value_checks.own_url(self.listen_host, self.port)

    @property
    def listen_host(self) -> str:
        """``HOST`` in canonical form: a name, or an address without brackets, as short as possible."""
        return value_checks.canonical_host(self.host)

    @property
    def worker_count(self) -> int:
        """The number of server processes."""
        return self.workers or (1 if self.on_sqlite else os.cpu_count() or 1)

    @property
    def hasher_count(self) -> int:
        """Concurrent password hashes per process: its share of the cores, at least 2 for uneven load."""
        return self.hashers or max(2, (os.cpu_count() or 1) // self.worker_count)

    def faults(self, *, generating: bool = False) -> list[str]:
        """Return all faults, one sentence each; with ``generating``, an absent secret is no fault."""
        return [
            *self._secret_faults(generating),
            *self._token_faults(),
            *self._lifetime_faults(),
            *self._network_faults(),
        ]

    def _secret_faults(self, generating: bool) -> list[str]:
        found = secret_faults(self.secret_key, generating=generating)
        return found if CHEAPEST <= self.password_cost <= HIGHEST_COST else [*found, _COST_FAULT]

    def _lifetime_faults(self) -> list[str]:
        found = []
        if not 0 < self.access_token_seconds <= self.refresh_token_seconds <= self.session_seconds:
            found.append(
                "lifetimes must rise: 0 < RBAC_ACCESS_TOKEN_SECONDS <= RBAC_REFRESH_TOKEN_SECONDS "
                "<= RBAC_SESSION_SECONDS"
            )
        if self.signin_free_failures > self.signin_lock_failures:
            found.append("RBAC_SIGNIN_FREE_FAILURES must be RBAC_SIGNIN_LOCK_FAILURES at most")
        for known in fields(self):
            low, high = known.metadata["bounds"] or (0, 0)
            if known.metadata["bounds"] and not low <= getattr(self, known.name) <= high:
                found.append(f"{known.metadata['name']} must be from {low} to {high}")
        return found

    def _network_faults(self) -> list[str]:
        found = [] if value_checks.is_host(self.host) else [value_checks.HOST_FAULT]
        found += value_checks.origin_faults(self.cors_origins)
        if self.script_name and not value_checks.is_prefix(self.script_name):
            found.append(
                "SCRIPT_NAME must be a path such as /rbac: a slash, then letters, digits, '.', '_', "
                "'~' or '-'"
            )
        if self.database_url and not value_checks.is_database(self.database_url):
            found.append(
                "RBAC_DATABASE_URL must begin with postgresql://, or with sqlite://// and an absolute path"
            )
        if self.log_level not in ("debug", "info", "warning", "error"):
            found.append("RBAC_LOG_LEVEL must be debug, info, warning or error")
        if self.checkpoint_url and not value_checks.is_web_address(self.checkpoint_url):
            found.append(
                "RBAC_CHECKPOINT_URL must be an http or https address without user name, password and fragment"
            )
        found += value_checks.driver_faults(self.database_url, self.redis_url)
        return [*found, *self._limit_faults()]

    def _limit_faults(self) -> list[str]:
        found = []
        if self.redis_url and not value_checks.is_store(self.redis_url):
            found.append("RBAC_REDIS_URL must begin with redis://, rediss:// or unix://")
        for group in ("signin", "token", "account"):
            name = f"RBAC_{group.upper()}_LIMIT"
            if not value_checks.is_limit(getattr(self, f"{group}_limit")):
                found.append(f"{name} must be written like '30 per minute' or '30 per minute; 200 per hour'")
        return found

    def _token_faults(self) -> list[str]:
        found = []
        if self.issuer and not value_checks.is_issuer(self.issuer):
            found.append("RBAC_ISSUER must be an http or https address without query and fragment")
        if not self.audience.strip():
            found.append(
                "RBAC_AUDIENCE may not be empty: without it a token of another service would be accepted"
            )
        if self.audience == self.issuer_url:
            found.append(
                "RBAC_AUDIENCE may not be RBAC_ISSUER, which is the audience of refresh tokens: "
                "other services would accept a refresh token as an access token"
            )
        if self.signing_algorithm not in ALGORITHMS:
            found.append(f"RBAC_SIGNING_ALGORITHM is unknown: choose one of {', '.join(ALGORITHMS)}")
        elif self.signing_key and self.signing_algorithm == "HS256":
            found.append(
                "RBAC_SIGNING_KEY has no use with HS256, which signs with RBAC_SECRET_KEY: remove "
                "one of the two"
            )
        elif self.signing_key and (
            problem := value_checks.pem_problem(self.signing_key.encode(), self.signing_algorithm)
        ):
            found.append(f"RBAC_SIGNING_KEY {problem}")
        return found


def complete(settings: Settings) -> Settings:
    """Take the embedded default's secret from the data folder; the first run makes it (mode 0600)."""
    if settings.secret_key or not settings.embedded:
        return settings
    try:
        return replace(settings, secret_key=kept_secret(Path(settings.data_dir)))
    except ValueError as fault:
        raise SettingsRefused([f"RBAC_DATA_DIR cannot be used: {fault}"]) from fault


def checked(settings: Settings) -> Settings:
    """Return the complete settings; ``SettingsRefused`` lists every fault, before anything is made."""
    if faults := settings.faults(generating=settings.embedded):
        raise SettingsRefused(faults)  # before a secret is written
    settings = complete(settings)
    if faults := settings.faults():
        raise SettingsRefused(faults)
    return settings
