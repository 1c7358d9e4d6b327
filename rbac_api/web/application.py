"""Flask, with some steps on every request's way made short that are for nothing here: together they take longer than the guard."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from http.client import OK
from typing import Any
from urllib.parse import quote

from flask import Flask, Request, Response, request_tearing_down
from flask.globals import request_ctx
from flask.sessions import NullSession, SessionInterface
from flask.typing import ResponseReturnValue
from werkzeug.routing import MapAdapter

from rbac_api.web.problems import OtherSpelling

_PLAIN_HOST = re.compile(
    r"(?=.{1,63}\Z)[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?"
)
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
# Other spellings of the same path, which a proxy's rule may not see (RFC 3986 section 6.2.2): empty and dot segments, parameters, encoded
# slashes, and encoded characters that need no encoding.
_UNUSUAL = re.compile(
    r"//|/\.{1,2}(?:/|\Z)|[;#\\]|%(?![0-9a-f]{2})|%(?:2[d-f]|3[0-9]|[46][1-9a-f]|[57][0-9a]|5[cf]|7e)",
    re.IGNORECASE,
)
_UNSAID = {"http": ":80", "https": ":443"}  # the ports that a scheme has anyway


class NoSessions(SessionInterface):
    """Flask would look for a session in the cookies of each request; here nobody has one, so nobody can be given one."""

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return _NO_SESSION


_NO_SESSION = NullSession()


class Answer(Response):
    """A response; one that is complete as it stands is sent as it stands, without a copy of its headers and a wrapper around its body."""

    def get_wsgi_response(
        self, environ: dict[str, Any]
    ) -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """Body, status line and headers."""
        if self._is_complete(environ):
            return self.response, self.status, self.headers.to_wsgi_list()  # type: ignore[return-value]
        return super().get_wsgi_response(environ)

    def _is_complete(self, environ: dict[str, Any]) -> bool:
        whole = type(self.response) is list and len(self.response) == 1 and type(self.response[0]) is bytes
        if not whole or self.status_code != OK or self._on_close or environ["REQUEST_METHOD"] == "HEAD":
            return False
        names = [name.lower() for name, _ in self.headers]
        return "content-length" in names and "location" not in names and "content-location" not in names


class Application(Flask):
    """Answers as Flask does: without its search for subdomains and other alphabets where there plainly are none, and for functions to
    call before and after a request where none are registered."""

    session_interface = NoSessions()
    response_class = Answer

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """The routes, bound to the request; the host is validated as always."""
        if request is None and self.config["SERVER_NAME"] is None:
            return None
        if request is not None and _UNUSUAL.search(_path_as_sent(request.environ)):
            raise OtherSpelling()
        if request is None or self.config.get("TRUSTED_HOSTS") or not _is_plain(request.environ):
            return super().create_url_adapter(request)
        environ = request.environ
        scheme: str = environ["wsgi.url_scheme"]
        request.host = environ["HTTP_HOST"].removesuffix(_UNSAID[scheme])
        path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        query = environ["QUERY_STRING"].encode("latin-1").decode(errors="replace")
        called = scheme, path, environ["REQUEST_METHOD"], query
        return MapAdapter(self.url_map, request.host.lower(), "/", "", *called)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: the guard around every view calls it there and then, so none can be a coroutine."""
        return func

    def preprocess_request(self) -> ResponseReturnValue | None:
        """What is registered to come before each request."""
        if self.before_request_funcs or self.url_value_preprocessors:
            return super().preprocess_request()
        return None

    def process_response(self, response: Response) -> Response:
        """What is registered to look at each answer; there is no session to save."""
        if self.after_request_funcs or request_ctx._after_request_functions:
            return super().process_response(response)
        return response

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        """What is registered to come after each request, and the signal that tells of its end."""
        if self.teardown_request_funcs:
            super().do_teardown_request(exc)
        else:
            request_tearing_down.send(self, _async_wrapper=self.ensure_sync, exc=exc)


def _path_as_sent(environ: dict[str, Any]) -> str:
    """The request's path before decoding; where a server does not tell it, encoded again."""
    sent: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if sent:
        return (
            _AUTHORITY.sub("", sent.partition("?")[0], count=1) if sent[0] != "/" else sent.partition("?")[0]
        )
    return quote((environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1"))


def _is_plain(environ: dict[str, Any]) -> bool:
    host = environ.get("HTTP_HOST", "")
    elsewhere = environ.get("SCRIPT_NAME") or "HTTP_UPGRADE" in environ
    elsewhere = elsewhere or environ["wsgi.url_scheme"] not in _UNSAID
    return not elsewhere and "QUERY_STRING" in environ and _PLAIN_HOST.fullmatch(host) is not None
