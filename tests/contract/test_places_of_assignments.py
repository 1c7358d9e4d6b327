"""Every place that reads or writes the table ``assignments`` says what it does with the domain: found in the source, so that one that comes
later has to say it too.

``here``      only what counts at the domain that is asked about, ``root`` unless it says another
``all``       assignments at every domain: dominance, review, ends, plans
``itself``    the domain is part of the row: written with it, shown with it, or the row is found by its id
``any``       a condition or a number that is only used for planning, or joined with one of the others
"""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "rbac_api"
TABLES = "rbac_api.database.tables"
PLACES = {
    "capabilities/access/queries.py": {
        "_HELD": "any", "list_assignments": "all", "condition": "here", "count_holders": "here", "_held_by": "here", "list_held": "here",
        "list_turns": "all",
    },
    "capabilities/activations/queries.py": {"list_offers": "here"},
    "capabilities/assignments/queries.py": {
        "_ADDITION": "itself", "_LIST_HELD": "all", "list_assignments": "all", "update_assignment": "itself", "end_assignment": "itself",
        "list_role_assignments": "all", "end_role_assignments": "all",
    },
    "capabilities/assignments/queries_listing.py": {"_ONE": "itself"},
    "capabilities/constraints/queries.py": {
        "count_assignments": "any", "count_permanent": "here", "passing": "here", "holding": "all", "these": "any", "later_than": "any",
        "list_holders": "all", "_assignments": "itself", "_still": "all", "_permanent": "here",
    },
    "capabilities/domains/queries.py": {"_BELOW_ROOT": "itself", "count_assignments": "itself"},
    "capabilities/evaluation/queries.py": {"candidates_query": "here"},
    "capabilities/policy/assigning.py": {"_add": "itself", "_rewrite": "itself", "_end": "itself"},
    "capabilities/policy/queries.py": {
        "count_assignments": "all", "stream_assignments": "all", "_inside": "itself", "_assignments": "all",
        "_joined": "itself", "_holder_ids": "all",
        "list_assigned_ids": "all", "find_last_boundary": "all",
    },
    "capabilities/roles/queries.py": {"list_holder_ids": "all"},
    "capabilities/sessions/queries.py": {"holds_role": "all"},
    "capabilities/use/queries.py": {"list_used": "all"},
    "capabilities/users/queries.py": {"end_user_assignments": "all", "list_roles_at_deletion": "all"},
    "capabilities/users/queries_listing.py": {"holds_role": "here", "has_roles": "all"},
    "capabilities/users/queries_past.py": {"held_role": "here", "had_roles": "all"},
    "database/filters.py": {"counts_at": "here", "counting": "here", "holding": "here", "holds_one_of": "any"},
    "database/queries/assignments.py": {"_JOINED": "any", "DESCRIBED": "itself"},
    "database/queries/subjects.py": {
        "_ASSIGNMENT": "itself", "_JOINED": "any", "_LIST_ASSIGNMENTS": "all", "list_assignments_of": "all", "list_roles_of": "all",
    },
    "guard/enforcement/queries_strength.py": {"list_holders_of_both": "all"},
    "guard/state/queries.py": {"list_administrators": "here"},
    "guard/state/queries_history.py": {"list_assignments_at": "all", "was_assigned": "any"},
}  # fmt: skip
NAMES_IT = (
    "counts_at(",
    "counting(",
    ".domain ==",
    "holding(",
    "holders_query",
    "_held_by(",
    "_permanent(",
    ".condition()",
)


def parts(source: Path) -> Iterator[ast.stmt]:
    """The statements of a module, and those of its classes."""
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        yield from node.body if isinstance(node, ast.ClassDef) else [node]


def named(part: ast.stmt) -> str:
    if isinstance(part, ast.Assign):
        return ast.unparse(part.targets[0])
    return str(getattr(part, "name", ast.unparse(part)))


def places() -> dict[str, dict[str, ast.stmt]]:
    """By file, the functions and constants that name the table."""
    found: dict[str, dict[str, ast.stmt]] = {}
    for source in PACKAGE.rglob("*.py"):
        imports = [one for one in parts(source) if isinstance(one, ast.ImportFrom) and one.module == TABLES]
        names = {
            alias.asname or alias.name
            for one in imports
            for alias in one.names
            if alias.name == "assignments"
        }
        for part in parts(source) if names else ():
            if any(isinstance(node, ast.Name) and node.id in names for node in ast.walk(part)):
                found.setdefault(str(source.relative_to(PACKAGE)), {})[named(part)] = part
    return found


def test_every_place_says_what_it_does_with_the_domain() -> None:
    assert {file: set(some) for file, some in places().items()} == {
        file: set(some) for file, some in PLACES.items()
    }


def test_a_place_that_asks_about_one_domain_has_a_condition_for_it() -> None:
    without = [
        f"{file}:{name}"
        for file, some in places().items()
        for name, part in some.items()
        if PLACES[file][name] == "here" and not any(word in ast.unparse(part) for word in NAMES_IT)
    ]
    assert without == []
