"""The rules for passwords (NIST SP 800-63B-4 section 3.1.1.2), and their hashing and comparison."""

from __future__ import annotations

import gzip
import re
import unicodedata
from functools import cache
from importlib.resources import files

from rbac_api.capabilities.passwords.errors import PasswordRefused
from rbac_api.errors import Fault

MIN_LENGTH, MAX_LENGTH = 15, 256
MIN_NAME_LENGTH = 4  # shorter names occur by chance in honest passphrases
MIN_REST_LENGTH = 8  # characters, without separators, that must remain after the name is removed
MAX_PIECE_LENGTH = 5

__all__ = [
    "MAX_LENGTH",
    "MIN_LENGTH",
    "PasswordRefused",
    "password_problem",
    "require_changed_password",
    "require_good_password",
]


def require_good_password(password: str, username: str, *, pointer: str = "/new_password") -> None:
    """422 with the reason unless the password has 15 to 256 code points (after NFC), is not in the shipped
    list, and not derived from the username."""
    problem = password_problem(password, username)
    if problem:
        code, detail = problem
        raise PasswordRefused(faults=(Fault(pointer, code, detail),))


def require_changed_password(password: str, present: str) -> None:
    """422 if the new password is the current one: one that another person chose would then pass for the
    user's own."""
    if unicodedata.normalize("NFC", password) == unicodedata.normalize("NFC", present):
        detail = "This is the current password. Choose another."
        raise PasswordRefused(faults=(Fault("/new_password", "password.unchanged", detail),))


def password_problem(password: str, username: str) -> tuple[str, str] | None:
    """(code, sentence) of what is wrong with a password for this user; None if nothing is."""
    length = len(unicodedata.normalize("NFC", password))
    if length < MIN_LENGTH:
        return (
            "password.too_short",
            f"Use at least {MIN_LENGTH} characters; {length} were given. A few unrelated words work well.",
        )
    if length > MAX_LENGTH:
        return "password.too_long", f"Use at most {MAX_LENGTH} characters; {length} were given."
    folded = _folded(password)
    if folded in common_passwords():
        return "password.common", "This password is on the list of commonly used passwords. Choose another."
    if _repeats(folded):
        return "password.repeats", "This password only repeats a short piece. Choose another."
    if _made_of(folded, _folded(username)):
        return "password.own_name", "This password is derived from the username. Choose another."
    return None


@cache
def common_passwords() -> frozenset[str]:
    """The shipped list, folded; lines are kept as they are, since some consist of spaces."""
    packed = files("rbac_api.capabilities.passwords").joinpath("common_passwords.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().removesuffix("\n").split("\n"))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _repeats(password: str) -> bool:
    """Whether it repeats one short piece: an attacker who guesses the piece has the password."""
    return any(
        password == (password[:length] * len(password))[: len(password)]
        for length in range(1, MAX_PIECE_LENGTH + 1)
    )


def _made_of(password: str, name: str) -> bool:
    """Whether too little remains after removing the name (also its parts, and all of them backwards).

    A password that does not contain the name is never derived from it, however few different characters it
    has.
    """
    parts = {part for part in (name, *re.split(r"[\W_]+", name)) if len(part) >= MIN_NAME_LENGTH}
    rest = password
    for part in sorted(parts | {part[::-1] for part in parts}, key=lambda part: (-len(part), part)):
        rest = rest.replace(part, " ")
    return rest != password and len(re.sub(r"[\s._-]+", "", rest)) < MIN_REST_LENGTH
