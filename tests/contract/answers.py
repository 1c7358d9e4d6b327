"""Every answer a test provokes is held against the OpenAPI document: documented status, documented code, fitting body, due headers."""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
from flask import Flask

_UNDOCUMENTED = {404, 405, 413, 414, 415, 400, 500}  # routing and framing: any address may answer them


class AnswerChecker:
    """Knows the document of one application."""

    def __init__(self, app: Flask) -> None:
        self.document = app.extensions["rbac-openapi"].document()
        self._paths = [
            (re.compile("^" + re.sub(r"\{[^}]+\}", "[^/]+", p) + "$"), p) for p in self.document["paths"]
        ]
        self._validators: dict[str, Any] = {}

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        """The operation's part of the document; None where the document knows none."""
        for pattern, template in sorted(self._paths, key=lambda pair: pair[1].count("{")):
            if pattern.match(path.partition("?")[0]) and method.lower() in self.document["paths"][template]:
                found: dict[str, Any] = self.document["paths"][template][method.lower()]
                return found
        return None

    def check(self, method: str, path: str, answer: Any) -> None:
        """Fail if the answer is not one the document announces."""
        assert answer.status_code != 500, answer.text
        assert answer.headers["X-Request-ID"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        if answer.status_code == 401:
            schemes = ("Bearer", "Basic") if path.startswith("/oauth/") else ("Bearer",)
            challenges = tuple(f'{scheme} realm="rbac-api"' for scheme in schemes)
            assert answer.headers["WWW-Authenticate"].startswith(challenges)
        if answer.mimetype == "application/problem+json":
            self._fits({"$ref": "#/components/schemas/Problem"}, answer.json)
        operation = self.operation(method, path)
        if operation is None:
            assert answer.status_code in (404, 405), (method, path, answer.status_code)
            return
        self._check_documented(operation, method, path, answer)

    def _check_documented(self, operation: dict[str, Any], method: str, path: str, answer: Any) -> None:
        documented = operation["responses"].get(str(answer.status_code))
        if documented is None:
            assert answer.status_code in _UNDOCUMENTED, (
                f"{method} {path} answered {answer.status_code}: {answer.text}"
            )
            return
        if answer.mimetype == "application/problem+json":
            codes = documented["content"]["application/problem+json"]["examples"]
            undocumented = answer.status_code in _UNDOCUMENTED and answer.json["code"] in (
                "resource.not_found",
            )
            assert answer.json["code"] in codes or undocumented, (
                f"{method} {path}: {answer.json['code']} is not documented"
            )
        elif answer.mimetype == "application/json" and answer.status_code != 304:
            self._fits(documented["content"]["application/json"]["schema"], answer.json)

    def _fits(self, described: dict[str, Any], value: Any) -> None:
        name = str(described)
        if name not in self._validators:
            schema = {**described, "components": self.document["components"]}
            self._validators[name] = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        self._validators[name].validate(value)
