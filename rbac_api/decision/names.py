"""Checks usernames and gives them one canonical form, so that names that look alike cannot belong to two
users.

It has the form in which texts are searched too: without case and accents.
"""

from __future__ import annotations

import re
import unicodedata

MAX_USERNAME_LENGTH = 128
ERASED_NAME = "(erased)"  # shown in place of the name of a user whose personal data was erased
_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters, marks and symbols that are invisible: the rest of Unicode's Default_Ignorable_Code_Point, and the
# blank Braille pattern.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# Letters that Unicode does not take apart into a base letter and a mark, as keyboards without them write
# them.
_PLAIN: dict[int, str | None] = str.maketrans({
    "ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h",
    "ŧ": "t", "ı": "i", "ŋ": "n", "ĸ": "k", "ŀ": "l",
    "æ": "ae", "œ": "oe", "þ": "th", "ə": "e",
    "\u200c": None, "\u200d": None,  # joiners, which are invisible
})  # fmt: skip
# Quotation marks and dashes as word processors write them, beside the plain ones of a keyboard.
_PLAIN_MARKS = str.maketrans(
    "\u2018\u2019\u02bc\u2032\u00b4\u2010\u2011\u2012\u2013\u2014\u2212", "'" * 5 + "-" * 6
)


def search_form(text: str) -> str:
    """Return the text without case and accents: ``Kozłowski`` and ``KOZLOWSKI`` are searched as
    ``kozlowski``.

    Compatibility forms (full-width letters, ligatures) become ordinary ones, and so do typographic
    apostrophes and dashes; a mark is dropped wherever it stands.
    """
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKC", text.translate(_PLAIN_MARKS)).casefold()
    apart = unicodedata.normalize("NFKD", plain)
    kept = "".join(c for c in apart if unicodedata.category(c) != "Mn")
    return kept.translate(_PLAIN)


def search_text(*texts: str | None) -> str:
    """Return the search form of several texts, a line each, so that no match spans two of them."""
    return "\n".join(search_form(text) for text in texts if text)


def canonical(name: str) -> str:
    """Return the name in NFKC, case-folded and trimmed; applying it again changes nothing.

    It is Unicode's NFKC_Casefold (Standard Annex 31), except that ``username_problem`` refuses the invisible
    characters which that form drops.
    """
    previous = None
    while name != previous:
        previous = name
        name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()
    return name


def username_problem(name: str) -> str | None:
    """Say why a name cannot be used, as a sentence; None if it can."""
    if not 1 <= len(name) <= MAX_USERNAME_LENGTH or not 1 <= len(canonical(name)) <= MAX_USERNAME_LENGTH * 4:
        return f"Use 1 to {MAX_USERNAME_LENGTH} characters."
    if canonical(name) == ERASED_NAME:
        return "This name is shown in place of erased ones."
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
