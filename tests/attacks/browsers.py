"""Browsers that somebody signed in with, in the mode where cookies carry the tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.attacks.targets import Environ
from tests.builders import Stage
from tests.cast import PASSWORD

ACCESS, REFRESH = "__Host-rbac-access", "__Host-rbac-refresh"


def cookie(answer: Any, name: str) -> str:
    """The value of a cookie that an answer sets."""
    lines = answer.headers.getlist("Set-Cookie")
    found = next(line for line in lines if line.startswith(f"{name}="))
    return str(found.partition("=")[2].partition(";")[0])


@dataclass(frozen=True)
class Browser:
    """A browser that somebody signed in with."""

    access: str
    refresh: str
    csrf: str
    session_id: str

    @property
    def cookies(self) -> Environ:
        return {"HTTP_COOKIE": f"{ACCESS}={self.access}; {REFRESH}={self.refresh}"}

    @property
    def own_page(self) -> Environ:
        """What the browser sends for a page of ours, which knows the CSRF token."""
        return {**self.cookies, "HTTP_X_CSRF_TOKEN": self.csrf}


def browser(stage: Stage, person: Any) -> Browser:
    body = {"username": person.username, "password": PASSWORD}
    answer = stage.app.test_client(use_cookies=False).post("/v1/auth/login?mode=cookie", json=body)
    assert answer.status_code == 200
    return Browser(
        cookie(answer, ACCESS), cookie(answer, REFRESH), answer.json["csrf_token"], answer.json["session_id"]
    )
