"""Writes aligned columns or JSON to standard output, and progress to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

import click
import orjson

from rbac_api import clock
from rbac_api.formats.paging import MAX_PAGE_SIZE, Page, PageRequest

T = TypeVar("T")
Step = Callable[[int], object]
json_option = click.option("--json", "--as-json", "as_json", is_flag=True, help="Print JSON, for scripts.")


def print_json(value: object) -> None:
    """Print one JSON document; times as RFC 3339 with ``Z``."""
    click.echo(json_text(value))


def json_text(value: object) -> str:
    """The same as text."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode()


def print_items(items: Sequence[Mapping[str, object]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print a list: all members as a JSON array, or the named columns, aligned.

    ``user.username`` names a member of a member.
    """
    if as_json:
        print_json(items)
    elif items:
        print_rows([[_member(item, column) for column in columns] for item in items], columns)
    else:
        click.echo("Nothing found.", err=True)


def print_rows(rows: Sequence[Sequence[object]], columns: Sequence[str]) -> None:
    """Print aligned columns under their names."""
    cells = [[column.rpartition(".")[2].replace("_", " ").upper() for column in columns]]
    cells += [[shown(value) for value in row] for row in rows]
    widths = [max(len(row[number]) for row in cells) for number in range(len(columns))]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def shown(value: object) -> str:
    """Return a value as one cell.

    Characters that a terminal would execute (a user agent is foreign text) are escaped.
    """
    if value is None or value == "":
        return "-"
    if isinstance(value, datetime):
        return f"{clock.rfc3339(value)[:19]}Z"
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in str(value)
    )


def every_item(list_page: Callable[[PageRequest], Page[T]]) -> list[T]:
    """Return all items of a list that a service returns in pages."""
    page = list_page(PageRequest(MAX_PAGE_SIZE, None, count=False))
    items = list(page.items)
    while page.next_key is not None:
        page = list_page(PageRequest(MAX_PAGE_SIZE, page.next_key, count=False))
        items += page.items
    return items


@contextmanager
def progress(length: int, label: str) -> Iterator[Step]:
    """Show a progress bar on standard error if that is a terminal.

    Call the yielded function with the number of new steps.
    """
    if not sys.stderr.isatty():
        yield lambda _steps: None
        return
    least = max(1, length // 200)
    with click.progressbar(length=length, label=label, file=sys.stderr, update_min_steps=least) as bar:
        yield bar.update


def _member(item: Mapping[str, object], column: str) -> object:
    name, _, inner = column.partition(".")
    value = item[name]
    return _member(value, inner) if inner and isinstance(value, Mapping) else value
