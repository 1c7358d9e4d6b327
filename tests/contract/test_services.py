"""Services depend on no web framework: found by following every import from each module of a capability, however far it leads.

`routes`, `schemas` (and `schemas_…`) and `protocol` are the modules that speak HTTP. All others run at a shell, in a job or in a
test as they do in a request.
"""

from functools import cache

import grimp
import pytest

HTTP_MODULES = {"routes", "schemas", "protocol"}
FRAMEWORK = {"flask", "flask_jwt_extended", "flask_smorest", "marshmallow", "webargs", "werkzeug"}
# Imports that still lead there. The list only becomes shorter: each entry is checked to be needed.
REMAINING = {
    ("rbac_api.observability.logs", "flask"),
}


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("rbac_api", include_external_packages=True, cache_dir=None)


def is_web(module: str) -> bool:
    return module in FRAMEWORK or module == "rbac_api.web" or module.startswith("rbac_api.web.")


def services() -> list[str]:
    inside = graph().find_descendants("rbac_api.capabilities")
    return sorted(
        module for module in inside if module.rpartition(".")[2].partition("_")[0] not in HTTP_MODULES
    )


def ways_to_the_web(start: str, allowed: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The imports of web modules, by this module and by all that it imports."""
    found, seen, waiting = set(), {start}, [start]
    while waiting:
        importer = waiting.pop()
        for imported in graph().find_modules_directly_imported_by(importer):
            if is_web(imported):
                found.add((importer, imported))
            elif imported not in seen:
                seen.add(imported)
                waiting.append(imported)
    return found - allowed


@pytest.mark.parametrize("module", services())
def test_a_service_leads_to_no_web_framework(module: str) -> None:
    assert ways_to_the_web(module, REMAINING) == set()


def test_every_capability_is_followed() -> None:
    followed = {module.split(".")[2] for module in services()}
    assert followed == {
        module.rpartition(".")[2] for module in graph().find_children("rbac_api.capabilities")
    }
    assert len([module for module in services() if module.endswith(".service")]) > 15


@pytest.mark.parametrize("remaining", sorted(REMAINING), ids="-".join)
def test_a_remaining_import_is_still_needed(remaining: tuple[str, str]) -> None:
    assert remaining in {way for module in services() for way in ways_to_the_web(module, set())}


def test_following_finds_what_a_route_imports_directly_and_through_others() -> None:
    ways = ways_to_the_web("rbac_api.capabilities.signin.routes", REMAINING)
    assert ("rbac_api.capabilities.signin.routes", "flask") in ways
    assert ("rbac_api.guard.tokens.jwt", "flask_jwt_extended") in ways
