"""Free text: which characters a name to be shown, a description or a reason may not have.

What cannot be seen makes two texts look alike, and what changes the direction of writing makes one look like another: an auditor, a
terminal and a spreadsheet would show something else than what was written.  One rule for every field, over HTTP, in documents and in
tables.  (Usernames are stricter: ``names``.)
"""

from __future__ import annotations

import re

CONTROL = r"\u0000-\u001f\u007f-\u009f"
CONTROL_IN_LINES = r"\u0000-\u0008\u000b-\u001f\u007f-\u009f"  # a tab and a new line are fine there
# Soft hyphen, joiners, zero-width and blank letters, marks and overrides of direction (UAX 9), line and paragraph separators, invisible
# operators, fillers, byte order mark, interlinear annotations, noncharacters, and tags of plane 14.  Variation selectors 15 and 16 stay:
# they only choose between text and emoji.
HIDDEN = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufdd0-\ufdef"
    r"\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff" + "\U000e0000-\U000e0fff"
)
LINE = f"^[^{CONTROL}{HIDDEN}]*$"
LINES = f"^[^{CONTROL_IN_LINES}{HIDDEN}]*$"
_HALVES = r"\ud800-\udfff"  # of a surrogate pair: YAML can spell them, no encoding can
_REFUSED = {
    LINE: re.compile(f"[{CONTROL}{HIDDEN}{_HALVES}]"),
    LINES: re.compile(f"[{CONTROL_IN_LINES}{HIDDEN}{_HALVES}]"),
}


def text_problem(text: str, pattern: str = LINES) -> str | None:
    """What is wrong with a free text, as the end of a sentence that begins with its name; None if nothing is."""
    found = _REFUSED[pattern].search(text)
    if found is None:
        return None
    place = f"U+{ord(found[0]):04X} at position {found.start() + 1}"
    return f"has a control, invisible or text-direction character: {place}; remove it"
