"""What a terminal shows, as an SVG: text that can be selected and read aloud, in a few kilobytes."""

from __future__ import annotations

from html import escape
from textwrap import wrap

COLUMNS = 96
WIDTH, LINE, MARGIN = 9.6, 22, 18  # of a character, of a line, around: px at 16 px of monospace
COLOURS = {"+": "#7ee787", "-": "#ff7b72", "~": "#e3b341", "$": "#79c0ff"}
TEXT, GROUND = "#e6edf3", "#0d1117"


def terminal(title: str, command: str, output: str) -> str:
    """The command and what it prints; lines that begin with a sign of a plan have its colour."""
    lines = [part for line in (f"$ {command}", *output.rstrip("\n").split("\n")) for part in _wrapped(line)]
    width = max(len(text) for text, _ in lines) * WIDTH + 2 * MARGIN
    height = len(lines) * LINE + 2 * MARGIN
    drawn = "\n".join(
        f'<text x="{MARGIN}" y="{MARGIN + (number + 0.75) * LINE:g}" fill="{colour}">{escape(_kept(text))}</text>'
        for number, (text, colour) in enumerate(lines)
        if text.strip()
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" width="{width:g}" height="{height}" '
        f'role="img" font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="16">\n'
        f"<title>{escape(title)}</title>\n"
        f'<rect width="100%" height="100%" rx="10" fill="{GROUND}"/>\n{drawn}\n</svg>\n'
    )


def _kept(text: str) -> str:
    """With an indent that is not collapsed wherever the picture is shown."""
    return "\N{NO-BREAK SPACE}" * (len(text) - len(text.lstrip())) + text.lstrip()


def _wrapped(line: str) -> list[tuple[str, str]]:
    """The parts of a line that is too long, each with the colour of the whole."""
    indent = line[: len(line) - len(line.lstrip())] + "    "
    colour = COLOURS.get(line.strip()[:1], TEXT)
    parts = wrap(
        line,
        COLUMNS,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    return [(part, colour) for part in parts or [""]]
