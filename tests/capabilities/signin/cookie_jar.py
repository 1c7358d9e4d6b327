"""A browser as far as cookies go: keeps what it is given, sends it along, and reads nothing of it."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Any

from tests.builders import Caller, Stage
from tests.cast import PASSWORD

ACCESS, REFRESH = "__Host-rbac-access", "__Host-rbac-refresh"


class Tab(Caller):
    """A page in a browser; ``csrf`` is what it remembers, and forgets when it is reloaded."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.client = stage.app.test_client(use_cookies=False)  # its own jar would take ours away
        self.jar: dict[str, str] = {}
        self.csrf: str | None = None
        self.session_id = ""

    @property
    def headers(self) -> dict[str, str]:
        sent = (
            {"Cookie": "; ".join(f"{name}={value}" for name, value in self.jar.items())} if self.jar else {}
        )
        return {**sent, "X-CSRF-TOKEN": self.csrf} if self.csrf else sent

    def enter(self, person: Any, **more: Any) -> Any:
        """Sign in as a page does; the answer."""
        body = {"username": person.username, "password": PASSWORD, **more}
        answer = self.post("/v1/auth/login?mode=cookie", json=body)
        assert answer.status_code == 200, answer.json
        self.csrf, self.session_id = answer.json["csrf_token"], answer.json["session_id"]
        return answer

    def call(self, method: str, path: str, **options: Any) -> Any:
        answer = super().call(method, path, **options)
        for line in answer.headers.getlist("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.jar.pop(name, None)
                if morsel["max-age"] != "0":
                    self.jar[name] = morsel.value
        return answer


def tab_of(stage: Stage, person: Any, **more: Any) -> Tab:
    """A page with somebody signed in."""
    tab = Tab(stage)
    tab.enter(person, **more)
    return tab
