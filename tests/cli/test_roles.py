"""`rbac-api roles graph`: the hierarchy in a terminal, and as a picture for a page."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from tests.builders import Stage
from tests.cast import ALICE
from tests.cli.conftest import Shell


def test_roles_are_shown_in_each_form(stage: Stage, shell: Shell) -> None:
    alice = stage.as_(ALICE)
    alice.put("/v1/roles/role-manager/inherits/auditor")

    assert "role-manager → auditor\n" in shell("roles", "graph").stdout
    assert "  n0(" in shell("roles", "graph", "--user", "bob", "--format", "mermaid").stdout
    drawn = shell("roles", "graph", "--role", "auditor", "--format", "svg").stdout
    assert ElementTree.fromstring(drawn).get("role") == "graphics-document document"  # noqa: S314
    told = json.loads(shell("roles", "graph", "--format", "json").stdout)
    assert told == alice.get("/v1/role-graph").json


def test_what_reaches_a_user_is_shown_first(stage: Stage, shell: Shell) -> None:
    assert shell("roles", "graph", "--user", "bob").stdout == "bob → role-manager\nrole-manager\n"
    assert shell("roles", "graph", "--user", "dave").stdout == "dave → no role\n"


def test_what_is_not_there_is_said(shell: Shell) -> None:
    unknown = shell("roles", "graph", "--role", "nothing")
    both = shell("roles", "graph", "--role", "auditor", "--user", "bob")

    assert (unknown.exit_code, both.exit_code) == (1, 1)
    assert "Give one of 'user' and 'role'" in both.stderr
