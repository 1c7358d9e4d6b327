"""Decodes text files: Unicode with or without a byte order mark, and unmistakable Windows-1252."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: it begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WESTERN = "cp1252"  # Latin-1 with printable characters in place of its control characters
# What other encodings look like when read as Windows-1252: signs inside words, or several accented letters in
# a row.
_MISTAKEN = re.compile("[^\x00-\x7fÀ-ÖØ-öø-ÿŒœŠšŽžŸ€‚„…‰‹›‘’“”•–—™§°´«»\xa0]|[À-ÖØ-öø-ÿŒœŠšŽžŸ]{3}")
_SHOWN = 60


class TextUnreadable(ValueError):
    """The bytes cannot be read as text. The message says why, and in which line."""


def unicode_text(data: bytes, encoding: str | None = None) -> str:
    """Decode from ``encoding``, or from the Unicode encoding that the first bytes show.

    ``TextUnreadable`` names the first wrong line.
    """
    name = encoding or detected_encoding(data)
    try:
        return data.decode(name)
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        shown = _shown(data.split(b"\n")[line - 1].decode("latin-1"))
        raise TextUnreadable(f"line {line} is not {_title(name)}: {shown}") from fault


def western_text(data: bytes) -> str:
    """Decode from Windows-1252, which contains Latin-1.

    ``TextUnreadable`` if it could also be another encoding.
    """
    text = unicode_text(data, _WESTERN)
    if found := _MISTAKEN.search(text):
        line = text.count("\n", 0, found.start()) + 1
        shown = _shown(text.split("\n")[line - 1])
        raise TextUnreadable(f"line {line} is neither UTF-8 nor plainly Windows-1252: {shown}")
    return text


def detected_encoding(data: bytes) -> str:
    """Return the encoding by the byte order mark, or UTF-16 by a zero in the first character; else UTF-8."""
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if marked is None and len(data) > 1 and (data[0] == 0) != (data[1] == 0):
        return "utf-16-be" if data[0] == 0 else "utf-16-le"
    return marked or "utf-8"


def _title(name: str) -> str:
    return "Windows-1252" if name == _WESTERN else name.removesuffix("-sig").upper()


def _shown(line: str) -> str:
    return repr(line.strip("\r") if len(line) <= _SHOWN else f"{line[:_SHOWN]}…")
