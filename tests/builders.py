"""How a stage is built: a prepared database with the cast in it, an application on it, and the way back to the first scene."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from rbac_api import clock
from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.audit.service import describe
from rbac_api.capabilities.permissions.service import create_permission
from rbac_api.capabilities.roles.service import create_role, grant_permission
from rbac_api.capabilities.users.service import NewUser, add_user
from rbac_api.cli.prepare import hash_password, operator_unit, prepare
from rbac_api.database.engine import Database
from rbac_api.database.queries.trail import EVENT, EventRow
from rbac_api.database.tables import trail_events
from rbac_api.factory import close_app, create_app
from rbac_api.guard.state.queries import find_role_graph
from rbac_api.settings import Settings
from rbac_api.trail import sequencer
from rbac_api.trail.canonical_form import canonical
from rbac_api.trail.feed import find_end
from tests.cast import BOBS_PERMISSIONS, CAST, PASSWORD, PERMISSIONS
from tests.contract.answers import AnswerChecker
from tests.keeping import PostgresRows, Rows, SqliteRows

SECRET = "Jq3v0pZt8cWm5yLr2xBn7kFd4hGs9aTe1uVo6iXw"
FIRST_SCENE = "first scene"
TOO_OLD = timedelta(minutes=1)  # what is kept has sessions in it, and they grow old
T = TypeVar("T")
_HASHES: dict[str, str] = {}


def settings_for(url: str, **changes: Any) -> Settings:
    """Settings for a test: the cheapest hash, a generous limit per address, patience with a database on a busy machine."""
    given: dict[str, Any] = {
        "database_url": url,
        "database_timeout": 30,
        "secret_key": SECRET,
        "password_cost": 4,
        "signin_limit": "100000 per minute",
        "token_limit": "100000 per minute",
        "account_limit": "100000 per minute",
        "admin_username": "operator-made",
        "admin_password": PASSWORD,
        "seed_example": False,
        "log_level": "warning",
        **changes,
    }
    return Settings(**given)


def build(settings: Settings) -> None:
    """Prepare an empty database and put the cast on it.  The administrator that preparing makes is not needed and leaves."""
    database = Database(settings)
    prepare(settings, database)
    with operator_unit(settings, database) as clearance:
        hashed = cheap_hash(settings)
        for name, description in PERMISSIONS.items():
            create_permission(clearance, name, description)
        create_role(
            clearance, {"name": "role-manager", "description": "Manages users, roles and assignments."}
        )
        for permission in BOBS_PERMISSIONS:
            grant_permission(clearance, "role-manager", permission)
        ids = {}
        for person in CAST:
            user = add_user(
                clearance, NewUser(username=person.username, password_hash=hashed, password_final=True)
            )
            ids[person.username] = user.id
            if person.role:
                assign_role(clearance, user.id, person.role)
    with operator_unit(settings, database) as clearance:
        _retire(clearance, "operator-made", delete=True)
        for person in CAST:
            if person.disabled:
                _retire(clearance, person.username, delete=False)
    database.dispose()


def _retire(clearance: Any, username: str, *, delete: bool) -> None:
    from rbac_api.capabilities.users import service
    from rbac_api.formats.row_versions import tag_of

    user: Any = service.known_user(clearance, username)
    tags = frozenset({tag_of(service.describe(user), user.version)})
    if delete:
        service.delete_user(clearance, user.id, tags)
    else:
        service.update_user(clearance, user.id, tags, {"status": "disabled"})


def cheap_hash(settings: Settings) -> str:
    if PASSWORD not in _HASHES:
        _HASHES[PASSWORD] = hash_password(settings, PASSWORD)
    return _HASHES[PASSWORD]


@dataclass
class Stage:
    """One application on one engine.  ``reset`` brings back the first scene; ``as_`` gives a signed-in caller."""

    engine: str
    settings: Settings
    app: Flask
    checker: AnswerChecker
    rows: Rows | None = None
    _kept: dict[str, tuple[datetime, Any]] = field(default_factory=dict)
    _memory: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        return cast(Database, self.guard.database)

    @property
    def guard(self) -> Any:
        return self.app.extensions["rbac-api"]

    def reset(self) -> None:
        """Put every row back, in place, and make the application remember what it did then."""
        self._put_back(FIRST_SCENE)

    def kept(self, name: str, build: Callable[[], T]) -> T:
        """What ``build`` makes of the first scene: made once, and put back, rows and all, whenever it is asked for again soon after."""
        now = clock.now()  # as the test has it: one that travels keeps nothing for the others
        began, found = self._kept.get(name, (now - TOO_OLD, None))
        if timedelta() <= now - began < TOO_OLD:
            self._put_back(name)
            return cast(T, found)
        self.reset()
        began, made = now, build()
        self.keep(name)
        self._kept[name] = began, made
        return made

    def keep(self, name: str) -> None:
        """Remember the rows as they are, and what the application remembers of nearly every first request: the roles and the keys.
        Memory comes first: an event that is linked meanwhile is then one that the application has yet to see."""
        with self.database.one_moment() as reader:
            self._memory[name] = find_end(reader), find_role_graph(reader), self.guard.keyring.as_of(reader)
        self._rows.keep(name)

    @property
    def _rows(self) -> Rows:
        assert self.rows is not None, "one more node on a stage puts nothing back: the stage does"
        return self.rows

    def _put_back(self, name: str) -> None:
        self._rows.put_back(name)
        snapshot = self.guard.snapshot
        snapshot.forget()
        snapshot._mark, snapshot.roles.current, snapshot.keyring._keys = self._memory[name]
        self.guard.bearer._remembered.clear()
        self.guard.refusals.forget()
        self.guard.runtime.uses.forget()

    def caller(self) -> Caller:
        """Somebody without credentials."""
        return Caller(self)

    def as_(self, person: Any, password: str = PASSWORD) -> Caller:
        """A signed-in caller: a character, or a username."""
        caller = Caller(self)
        caller.sign_in(getattr(person, "username", person), password)
        return caller

    def query(self, sql: str, *values: Any) -> list[Any]:
        """Straight SQL with ``?`` for values: what is in the tables, past the service; no event waits, unless it is asked for one."""
        if "FROM trail_events" in sql and "trail_outbox" not in sql:
            sequencer.drain_outbox(self.database)
        with self.database.engine.connect() as connection:
            rows = connection.exec_driver_sql(_marked(sql, self.engine), values).all()
            return [tuple(row) for row in rows]

    def execute(self, *statements: str) -> None:
        """Straight SQL that changes something behind the service's back; nothing announces it."""
        with (
            self.database.engine.connect() as connection,
            connection.execution_options(writer=True, **self.database.transactional).begin(),
        ):
            # SQLite judges CREATE and DROP by the schema its connection remembers, which another connection may
            # have changed since; reading a table makes it look again: its own, which no test takes away.
            if self.engine == "sqlite":
                connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema")
            for statement in statements:
                connection.exec_driver_sql(statement)
        self.guard.snapshot.forget()

    def user_id(self, person: Any) -> str:
        """A character's id."""
        name = getattr(person, "username", person)
        found = self.query("SELECT id FROM users WHERE username_canonical = ?", name)[0][0]
        text = str(found)
        return text if "-" in text else f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def events(self, action: str | None = None, after: int = 0) -> list[dict[str, Any]]:
        """The trail's rows, oldest first, as dictionaries; of one action, or all, and only those after a number."""
        sequencer.drain_outbox(self.database)
        with self.database.reading() as connection:
            later = select(*EVENT).where(trail_events.c.seq > after)
            rows = connection.execute(later.order_by(trail_events.c.seq)).all()
        found = [_whole(EventRow._make(row)) for row in rows]
        return [event for event in found if action is None or event["action"] == action]

    def close(self) -> None:
        close_app(self.app)
        if self.rows is not None:
            self.rows.close()


class Caller:
    """Somebody speaking HTTP to the application; every answer is held against the OpenAPI document."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.client: FlaskClient = stage.app.test_client()
        self.tokens: dict[str, Any] = {}

    def again(self) -> Caller:
        """The same caller, as a client of its own."""
        found = Caller(self.stage)
        found.tokens = dict(self.tokens)
        return found

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"} if self.tokens else {}

    def sign_in(self, username: str, password: str = PASSWORD) -> None:
        answer = self.client.post("/v1/auth/login", json={"username": username, "password": password})
        assert answer.status_code == 200, answer.json
        self.tokens = answer.json or {}

    def call(self, method: str, path: str, **options: Any) -> Any:
        options["headers"] = {**self.headers, **options.get("headers", {})}
        answer = self.client.open(path, method=method, **options)
        self.stage.checker.check(method, path, answer)
        return answer

    def get(self, path: str, **options: Any) -> Any:
        return self.call("GET", path, **options)

    def every(self, path: str, query: str = "", limit: int = 200) -> list[dict[str, Any]]:
        """The items of all pages of a list."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            answer = self.get(f"{path}?limit={limit}{query}{cursor}")
            assert answer.status_code == 200, answer.text
            found += answer.json["items"]
            if answer.json["next"] is None:
                return found
            cursor = f"&cursor={answer.json['next']}"

    def post(self, path: str, **options: Any) -> Any:
        return self.call("POST", path, **options)

    def put(self, path: str, **options: Any) -> Any:
        return self.call("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Any:
        return self.call("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self.call("DELETE", path, **options)

    def patch_now(self, path: str, body: dict[str, Any]) -> Any:
        """PATCH with the ETag as it is at this moment."""
        return self.patch(path, json=body, headers={"If-Match": self.get(path).headers["ETag"]})

    def delete_now(self, path: str) -> Any:
        """DELETE with the ETag as it is at this moment."""
        return self.delete(path, headers={"If-Match": self.get(path.partition("?")[0]).headers["ETag"]})


def raise_curtain(engine: str, url: str, folder: Path, **changes: Any) -> Stage:
    """A stage on an empty database at ``url``."""
    settings = settings_for(url, **changes)
    build(settings)
    rows = SqliteRows(url, folder) if engine == "sqlite" else PostgresRows(url)
    app = create_app(settings)
    stage = Stage(engine, settings, app, AnswerChecker(app), rows)
    stage.keep(FIRST_SCENE)
    return stage


@contextmanager
def another_node(stage: Stage, **changes: Any) -> Iterator[Stage]:
    """One more application on the stage's database, with a memory and settings of its own."""
    settings = replace(stage.settings, **changes)
    app = create_app(settings)
    node = Stage(stage.engine, settings, app, AnswerChecker(app))
    try:
        yield node
    finally:
        node.close()


OpenNode = Callable[..., Stage]


def _whole(row: EventRow) -> dict[str, Any]:
    """An event's columns, with its personal values in their places; ``before`` and ``after`` are JSON text."""
    shown: Any = describe(row)
    names = {f"{part}_name": shown[part]["name"] for part in ("actor", "target")}
    facts = {part: canonical(shown[part]) if shown[part] else None for part in ("before", "after")}
    return {**row._asdict(), **names, **facts, "ip": shown["ip"]}


def _marked(sql: str, engine: str) -> str:
    return sql if engine == "sqlite" else sql.replace("?", "%s")
