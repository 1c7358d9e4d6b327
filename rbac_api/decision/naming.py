"""Defines the names that roles, constraints and permissions may have: one rule and one sentence for each.

    >>> ROLE.problem("2nd brewer")[:60]
    "'2nd brewer' is not a role name. Use a letter, then letters,"
    >>> PERMISSION.problem("s3:GetObject")

Names are compared as they are written; two that differ only by case cannot both exist.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_TITLE_LENGTH = 200
_SHOWN = 100  # characters quoted of a value that is no name


@dataclass(frozen=True, slots=True)
class NameRule:
    """What things of one kind may be called; ``words`` says the same as ``pattern`` and ``longest``."""

    thing: str
    pattern: str
    shortest: int
    longest: int
    words: str

    def problem(self, name: str) -> str | None:
        """Say why a name is not allowed, as a sentence that quotes the value; None if it is allowed."""
        if len(name) <= self.longest and re.fullmatch(self.pattern, name):
            return None
        shown = repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…")
        return f"{shown} is not a {self.thing} name. {self.words}"


_SLUG = r"[A-Za-z][A-Za-z0-9._-]{0,126}"
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_LABEL = r"[a-z0-9][a-z0-9-]{0,62}"
_WORDS = (
    "Use a letter, then letters, digits, '.', '_' or '-'; then, if it is at home in a domain, '@' and the"
    " domain's name; at most 127 characters."
)
_AT_HOME = rf"{_SLUG}(@(?!root(\.|$)){_LABEL}(\.{_LABEL}){{0,7}})?"
ROLE = NameRule("role", _AT_HOME, 1, 127, _WORDS)
CONSTRAINT = NameRule("constraint", _AT_HOME, 1, 127, _WORDS)
PERMISSION = NameRule(
    "permission",
    f"{_PART}(:{_PART}){{1,3}}",
    3,
    200,
    "Use two to four parts joined by ':', such as invoices:approve; each part is a letter or digit, then"
    " letters, digits, '.', '_' or '-'; at most 200 characters.",
)

DOMAIN = NameRule(
    "domain",
    rf"(root|(?!root\.){_LABEL}(\.{_LABEL}){{0,7}})",
    1,
    255,
    "Use one to eight parts joined by '.', such as acme.eu; each part is a lower-case letter or digit, then"
    " lower-case letters, digits or '-', at most 63 in all; at most 255 characters. The first part of another"
    " domain than root is not root.",
)


def folded(name: str) -> str:
    """Return what names that differ only by case have in common."""
    return name.lower()
