"""Flask, with the one step on every request's way made short that takes longer than the guard: binding the routes to the address."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask, Request
from werkzeug.routing import MapAdapter
from werkzeug.wsgi import get_host

_PLAIN_HOST = re.compile(r"(?=.{1,63}\Z)[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*(?::[0-9]{1,5})?")


class Application(Flask):
    """The same bindings as Flask's own, without its search for subdomains and other alphabets where there plainly are none."""

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """The routes, bound to the request; the host is validated as always."""
        if request is None or self.config["TRUSTED_HOSTS"] or not _is_plain(request.environ):
            return super().create_url_adapter(request)
        environ = request.environ
        request.host = get_host(environ)
        path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        query = environ["QUERY_STRING"].encode("latin-1").decode(errors="replace")
        called = environ["wsgi.url_scheme"], path, environ["REQUEST_METHOD"], query
        return MapAdapter(self.url_map, request.host.lower(), "/", "", *called)


def _is_plain(environ: dict[str, Any]) -> bool:
    host = environ.get("HTTP_HOST", "")
    elsewhere = environ.get("SCRIPT_NAME") or "HTTP_UPGRADE" in environ
    return not elsewhere and "QUERY_STRING" in environ and _PLAIN_HOST.fullmatch(host) is not None
