"""The running service, told to log as much as it can: of all that was secret in a day's work, nothing stands in its log or its database."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.attacks.browsers import cookie
from tests.builders import SECRET
from tests.capabilities.second_factor.device import PROOF, Device
from tests.cast import NEW_PASSWORD, PASSWORD
from tests.servers.places import server_folder
from tests.servers.service import SETTINGS, Service

pytestmark = pytest.mark.outside

FORM = "application/x-www-form-urlencoded"
WRONG = "a wrong password that she mistyped"


@pytest.fixture
def server() -> Iterator[Service]:
    folder = server_folder("leaks")
    given = {
        **SETTINGS,
        "RBAC_DATABASE_URL": f"sqlite:///{folder}/rbac.db",
        "RBAC_LOG_LEVEL": "debug",
        "RBAC_WORKERS": "1",
    }
    found = Service(folder, given, warm=True)
    found.start()
    yield found
    found.end()


class Client:
    """Speaks to the service, and remembers what it was told and what it told."""

    def __init__(self, server: Service) -> None:
        self._server = server
        self.headers: dict[str, str] = {}

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """The answer, with its cookies as ``cookies``."""
        line = self._server.connect()
        form = headers.get("Content-Type") == FORM
        text = urlencode(body) if form else json.dumps(body or {})
        line.request("POST", path, text, {"Content-Type": "application/json", **self.headers, **headers})
        answer = line.getresponse()
        found = json.loads(answer.read() or b"{}")
        found["cookies"] = answer.headers.get_all("Set-Cookie") or []
        line.close()
        return found


class Cookies:
    """An answer's cookies, as the reader of cookies wants them."""

    def __init__(self, lines: list[str]) -> None:
        self.headers = self
        self._lines = lines

    def getlist(self, _name: str) -> list[str]:
        return self._lines


def a_days_work(client: Client) -> Mapping[str, str]:
    """Everything secret that passed either way."""
    login = {"username": "admin", "password": PASSWORD}
    tokens = client.post("/v1/auth/login", login)
    browser = client.post("/v1/auth/login?mode=cookie", login)
    client.post("/v1/auth/login", {**login, "password": WRONG})
    renewed = client.post("/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    client.headers = {"Authorization": f"Bearer {renewed['access_token']}"}
    erin = client.post("/v1/users", {"username": "erin"})["password_setup"]["token"]
    client.post("/v1/auth/password-setup", {"token": erin, "new_password": NEW_PASSWORD})
    robot = client.post("/v1/service-accounts", {"name": "robot"})["id"]
    secret = client.post(f"/v1/service-accounts/{robot}/secrets")["client_secret"]
    taken = client.post("/oauth/token", {"grant_type": "client_credentials"}, **basic(robot, secret))
    client.post("/oauth/introspect", {"token": tokens["access_token"]}, **{"Content-Type": FORM})
    client.post("/oauth/revoke", {"token": taken["access_token"]}, **{"Content-Type": FORM})
    factor = client.post("/v1/me/totp", PROOF)["secret"]
    recovery = client.post("/v1/me/totp/confirm", {"code": Device(factor).code()})["recovery_codes"]
    client.post("/v1/users?access_token=" + renewed["access_token"], {"password": WRONG, "username": []})
    cookies = {
        name: cookie(Cookies(browser["cookies"]), name)
        for name in ("__Host-rbac-access", "__Host-rbac-refresh")
    }
    return {
        "password": PASSWORD, "wrong password": WRONG, "new password": NEW_PASSWORD, "instance secret": SECRET, "setup token": erin,
        "client secret": secret, "TOTP secret": factor, "recovery code": recovery[0], "CSRF token": browser["csrf_token"], **cookies,
        **{f"first {name}": tokens[name] for name in ("access_token", "refresh_token")},
        **{f"second {name}": renewed[name] for name in ("access_token", "refresh_token")}, "robot's token": taken["access_token"],
    }  # fmt: skip


def basic(client_id: str, secret: str) -> dict[str, str]:
    text = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {text}", "Content-Type": FORM}


def test_no_secret_of_a_days_work_stands_in_the_log_or_the_database(server: Service) -> None:
    secrets = a_days_work(Client(server))
    stored = b"".join(path.read_bytes() for path in server.folder.glob("rbac.db*"))
    code, log = server.terminate(), server.output()

    assert code == 0
    assert '"path":"/v1/auth/login"' in log.replace('": "', '":"'), "it did log"
    assert [name for name, secret in secrets.items() if secret in log] == []
    assert [name for name, secret in secrets.items() if secret.encode() in stored] == []
    assert [name for name, secret in secrets.items() if secret.split(".")[-1] in log] == [], "nor a signature"
    assert b"erin" in stored, "it was the right file"
