"""Usernames: one canonical form, so that two people cannot look alike to the database and differ, or the reverse."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 128
_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters, marks and symbols that show nothing: the rest of Unicode's Default_Ignorable_Code_Point, and the blank Braille pattern.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def canonical(name: str) -> str:
    """NFKC, case-folded, trimmed; applying it again changes nothing.

    Unicode's NFKC_Casefold (Standard Annex 31) but for the invisible characters: those it drops, ``username_problem`` refuses.
    """
    previous = None
    while name != previous:
        previous = name
        name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()
    return name


def username_problem(name: str) -> str | None:
    """Why a name cannot be given to anybody, as a sentence; None if it can."""
    if not 1 <= len(name) <= LONGEST or not 1 <= len(canonical(name)) <= LONGEST * 4:
        return f"Use 1 to {LONGEST} characters."
    if name != name.strip() or "  " in name:
        return "Do not begin or end with a space, nor put two in a row."
    if any(_unseen(character) for character in name):
        return "Control, formatting, private, unassigned and unusual space characters are not allowed."
    if unicodedata.category(name[0]).startswith("M") or not any(
        unicodedata.category(c)[0] in "LN" for c in name
    ):
        return "Begin with a visible character and use at least one letter or digit."
    return None


def _unseen(character: str) -> bool:
    category = unicodedata.category(character)
    return category in _REFUSED or (category == "Zs" and character != " ") or bool(_BLANK.match(character))
