"""What the OpenAPI document says there is to do: one row per operation, so that tests cover what is added later without being told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask

WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True)
class Operation:
    """One method on one path."""

    id: str
    method: str
    path: str
    described: Mapping[str, Any]
    components: Mapping[str, Any]

    @property
    def writes(self) -> bool:
        return self.method in WRITING

    @property
    def public(self) -> bool:
        """Whether nobody needs credentials for it; some, if sent, must be good nevertheless."""
        return bool(self.described["security"] == [] or {} in self.described["security"])

    @property
    def own_form(self) -> bool:
        """Whether its refusals have the form of a protocol (OAuth, AuthZEN) instead of being problem documents."""
        return self.path.startswith(("/oauth/", "/access/"))

    @property
    def asks(self) -> bool:
        """Whether it only asks, though by POST as its protocol has it."""
        return self.path.startswith("/access/") or self.id in ("introspect_token", "plan_policy")

    @property
    def takes_documents(self) -> bool:
        """Whether its body may be YAML too."""
        return "application/yaml" in self.described.get("requestBody", {}).get("content", {})

    @property
    def permission(self) -> str | None:
        found: str | None = self.described["x-permission"]
        return found

    @property
    def parameters(self) -> list[str]:
        """The names of its path parameters."""
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def headers(self) -> set[str]:
        """The names of the request headers it knows."""
        known = self.components["parameters"]
        found = [
            known[parameter["$ref"].rpartition("/")[2]] if "$ref" in parameter else parameter
            for parameter in self.described.get("parameters", [])
        ]
        return {parameter["name"] for parameter in found if parameter["in"] == "header"}

    @property
    def conditional(self) -> bool:
        """Whether it asks for ``If-Match``."""
        return "If-Match" in self.headers

    @property
    def creates(self) -> bool:
        return self.method == "POST" and "201" in self.described["responses"]

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The schema of its request body; None if it takes none."""
        content = self.described.get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            return None
        name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
        found: Mapping[str, Any] = self.components["schemas"][name]
        return found

    def codes(self, status: int) -> set[str]:
        """The problem codes it may answer with this status."""
        content = self.described["responses"].get(str(status), {}).get("content", {})
        return set(content.get("application/problem+json", {}).get("examples", {}))

    def at(self, names: Mapping[str, str]) -> str:
        """Its address with these path parameters."""
        return re.sub(r"\{(\w+)\}", lambda found: names[found[1]], self.path)

    def example(self) -> dict[str, Any] | None:
        """A body made of the schema's own examples; None if it takes none."""
        if self.body is None:
            return None
        return {name: _example(field) for name, field in self.body["properties"].items()}


def operations(app: Flask) -> list[Operation]:
    """All of them, in the document's order."""
    return list(_operations(app.extensions["rbac-openapi"].document()))


def _operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    for path, item in document["paths"].items():
        for method, described in item.items():
            if method in ("get", "head", "post", "put", "patch", "delete", "options", "trace"):
                yield Operation(
                    described["operationId"], method.upper(), path, described, document["components"]
                )


def _example(field: Mapping[str, Any]) -> Any:
    if "example" in field:
        return field["example"]
    return field.get("examples", [field.get("default")])[0]
