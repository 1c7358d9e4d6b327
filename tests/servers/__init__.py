"""Real servers for the tests: PostgreSQL, Valkey and a browser, without docker and without root.

Each is looked for in one order: an environment variable that names a ready one, the PyPI package among the
test dependencies, the PATH, Debian's folder. A server that cannot be had is an error that says the remedy,
never a skipped test. What we start ends with us, even when the test run is killed (see `supervisor`).

Starting takes about half a second, so every xdist worker has its own: sharing one would cost a lock file and
win nothing.
"""

from tests.servers.browser import Browser, find_browser
from tests.servers.missing import ServerMissing
from tests.servers.postgres import PostgresServer, start_postgres
from tests.servers.valkey import ValkeyServer, start_valkey

__all__ = [
    "Browser",
    "PostgresServer",
    "ServerMissing",
    "ValkeyServer",
    "find_browser",
    "start_postgres",
    "start_valkey",
]
