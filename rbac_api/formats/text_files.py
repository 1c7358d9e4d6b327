"""Texts from files as real systems write them: Unicode with or without a byte order mark, and where it is unmistakable Windows-1252."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WESTERN = "cp1252"  # Latin-1, with printable characters where that has none
# What Windows-1252 makes of other encodings: signs inside of words, or whole words of letters that Western languages rarely put in a row.
_MISTAKEN = re.compile("[^\x00-\x7fÀ-ÖØ-öø-ÿŒœŠšŽžŸ€‚„…‰‹›‘’“”•–—™§°´«»\xa0]|[À-ÖØ-öø-ÿŒœŠšŽžŸ]{3}")
_SHOWN = 60


class TextUnreadable(ValueError):
    """Why bytes are not read as a text, in words, with the line."""


def unicode_text(data: bytes, encoding: str | None = None) -> str:
    """The text in ``encoding``, or in the Unicode encoding that its beginning tells; ``TextUnreadable`` names the first wrong line."""
    name = encoding or told_encoding(data)
    try:
        return data.decode(name)
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        shown = _shown(data.split(b"\n")[line - 1].decode("latin-1"))
        raise TextUnreadable(f"line {line} is not {_title(name)}: {shown}") from fault


def western_text(data: bytes) -> str:
    """The text in Windows-1252, of which Latin-1 is a part; ``TextUnreadable`` where it could as well be something else."""
    text = unicode_text(data, _WESTERN)
    if found := _MISTAKEN.search(text):
        line = text.count("\n", 0, found.start()) + 1
        shown = _shown(text.split("\n")[line - 1])
        raise TextUnreadable(f"line {line} is neither UTF-8 nor plainly Windows-1252: {shown}")
    return text


def told_encoding(data: bytes) -> str:
    """By its mark, or for UTF-16 without one by where the zeros of its first character are."""
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if marked is None and len(data) > 1 and (data[0] == 0) != (data[1] == 0):
        return "utf-16-be" if data[0] == 0 else "utf-16-le"
    return marked or "utf-8"


def _title(name: str) -> str:
    return "Windows-1252" if name == _WESTERN else name.removesuffix("-sig").upper()


def _shown(line: str) -> str:
    return repr(line.strip("\r") if len(line) <= _SHOWN else f"{line[:_SHOWN]}…")
