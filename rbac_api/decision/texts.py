"""Checks free text: which characters a display name, a description or a reason may not have.

Invisible characters make two texts look alike, and characters that change the direction of writing make one
look like another: an auditor, a terminal or a spreadsheet would show something else than what was written.

One rule holds for every field, over HTTP, in documents and in tables.  (Usernames are stricter: ``names``.)
"""

from __future__ import annotations

import re

CONTROL = r"\u0000-\u001f\u007f-\u009f"
CONTROL_IN_LINES = r"\u0000-\u0008\u000b-\u001f\u007f-\u009f"  # a tab and a new line are fine there
# Soft hyphen, joiners, zero-width and blank letters, marks and overrides of direction (UAX 9), line and
# paragraph separators, invisible operators, fillers, byte order mark, interlinear annotations, noncharacters,
# and tags of plane 14.  Variation selectors 15 and 16 are allowed: they only choose between text and emoji.
HIDDEN = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufdd0-\ufdef"
    r"\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff" + "\U000e0000-\U000e0fff"
)
# Joiners shape Arabic (Persian), Indic and other scripts, and composed emoji.  They are allowed there,
# between two letters or two emoji (compare RFC 5892, appendix A.1 and A.2).  Each alternative begins and ends
# with a visible character, so there is one reading only.
_SHAPED = (
    r"\u0600-\u061b\u061d-\u0dff\u0f00-\u109f\u1780-\u17b3\u17b6-\u17ff\u1800-\u180a\u1810-\u18af"
    r"\ufb50-\ufdcf\ufdf0-\ufdff"
    r"\ufe70-\ufefc"
)
_EMOJI = r"\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff" + "\U0001f000-\U0001faff"
_CLUSTER = rf"[{_SHAPED}](?:[\u200c\u200d][{_SHAPED}])+|[{_EMOJI}](?:\ufe0f?\u200d[{_EMOJI}])+"
_BLANK = r"(?!\s+$)"  # a text of spaces alone looks like none
LINE = f"^{_BLANK}(?:[^{CONTROL}{HIDDEN}]|{_CLUSTER})*$"
LINES = f"^{_BLANK}(?:[^{CONTROL_IN_LINES}{HIDDEN}]|{_CLUSTER})*$"
EMAIL = rf"^[^@\s{CONTROL}{HIDDEN}]{{1,64}}@[^@\s{CONTROL}{HIDDEN}]{{1,255}}$"
_HALVES = r"\ud800-\udfff"  # of a surrogate pair: YAML can write them, no encoding can
_REFUSED = {
    LINE: re.compile(f"[{CONTROL}{HIDDEN}{_HALVES}]"),
    LINES: re.compile(f"[{CONTROL_IN_LINES}{HIDDEN}{_HALVES}]"),
}
_JOINED = re.compile(_CLUSTER)


def text_problem(text: str, pattern: str = LINES) -> str | None:
    """Say what is wrong with a free text, as the end of a sentence that begins with its name; None if nothing
    is."""
    refused = _REFUSED[pattern]
    found = refused.search(text) and refused.search(_JOINED.sub(lambda one: "-" * len(one[0]), text))
    if not found:
        return "has spaces alone; write a word, or leave it out" if text.isspace() else None
    place = f"U+{ord(text[found.start()]):04X} at position {found.start() + 1}"
    return f"has a control, invisible or text-direction character: {place}; remove it"
