"""Finds accounts by a text anywhere in their names, ignoring case and accents.

An index has the trigrams of each text: the three characters from each place on. On SQLite FTS5 keeps it,
without the newest rows (up to 255), on PostgreSQL a GIN index over ``search_trigrams(text)``. Rows that have
the trigrams of the sought text are compared with the text itself. A text of one or two characters is the
beginning of some trigrams.

A text that very many accounts have is not looked up: accounts are read in the order of their names, or of the
list, until a page is full.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    Subquery,
    and_,
    cast,
    column,
    func,
    literal,
    literal_column,
    select,
    table,
    union_all,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from rbac_api.database import filters
from rbac_api.database.filters import among, mentions, sought_form
from rbac_api.database.tables import user_search, users

PROBED, ENOUGH = 2000, 50  # accounts that are read to see whether a page would soon be full
_LENGTH = 3  # of a trigram
_MOST_GRAMS = 40  # looked up of a long text
_MOST_TERMS = 200  # trigrams looked up that begin with a shorter text
_TRIGRAMS = table("user_trigrams", column("rowid"))
_SEQUENCE = table("sqlite_sequence", column("name"), column("seq"))
# The last row in SQLite's index, which gets 256 rows at a time (revision 0017).
_INDEXED = (
    select(_SEQUENCE.c.seq - _SEQUENCE.c.seq % 256).where(_SEQUENCE.c.name == "user_search").scalar_subquery()
)
_HAVING = select(user_search.c.user_id, user_search.c.name)
_TERMS = table("user_trigram_terms", column("term"))
_NOTHING = '""'  # a query of FTS5 that finds nothing
_LAST = "\U0010ffff"  # sorts after every character of a text
_BY_NAME = select(users.c.search_text).order_by(users.c.username_canonical).limit(PROBED).subquery()


def named_like(connection: Connection, text: str, *, by_name: bool = True) -> ColumnElement[bool]:
    """Condition on ``users``: one of the names has this text.

    Few accounts are looked up. If there are many, the condition is for reading the accounts in their order;
    in the order of names it also has the first and the last, as all the names may begin with the text.
    """
    sought = sought_form(text)
    spelled = mentions(connection, users.c.search_text, sought)
    if _is_everywhere(connection, sought) or (having := _having(connection, sought)) is None:
        return spelled
    found = select(having.c.user_id).limit(filters.FEW + 1)
    ids = list(connection.execute(found).scalars())
    if len(ids) <= filters.FEW:
        return among(users.c.id, ids)
    if not by_name:
        return spelled
    ends = select(func.min(having.c.name), func.max(having.c.name))
    first, last = connection.execute(ends).one()
    return and_(spelled, users.c.username_canonical.between(first, last))


def _is_everywhere(connection: Connection, sought: str) -> bool:
    """Whether the accounts read first in the order of names fill a page."""
    some = select(_BY_NAME).where(mentions(connection, _BY_NAME.c.search_text, sought)).limit(ENOUGH)
    counted = select(func.count()).select_from(some.subquery())
    return connection.execute(counted).scalar_one() == ENOUGH


def _having(connection: Connection, sought: str) -> Subquery | None:
    """The id and the name of each account with this text, by the index; None if too many trigrams begin with
    it."""
    having = _HAVING.where(mentions(connection, user_search.c.text, sought))
    if connection.dialect.name == "postgresql":
        trigrams = func.search_trigrams(user_search.c.text)
        return having.where(trigrams.op("@@")(cast(literal(_lexemes(sought)), TSQUERY))).subquery()
    terms = _grams(sought) if len(sought) >= _LENGTH else _terms(connection, sought)
    if len(terms) > _MOST_TERMS:
        return None
    wanted = (" AND " if len(sought) >= _LENGTH else " OR ").join(map(_phrase, terms)) or _NOTHING
    indexed = having.join_from(_TRIGRAMS, user_search, user_search.c.number == _TRIGRAMS.c.rowid).where(
        literal_column("user_trigrams").op("MATCH")(wanted)
    )
    return union_all(indexed, having.where(user_search.c.number > _INDEXED)).subquery()


def _grams(sought: str) -> Sequence[str]:
    """The first trigrams of the text."""
    places = range(min(len(sought) - _LENGTH + 1, _MOST_GRAMS))
    return sorted({sought[place : place + _LENGTH] for place in places})


def _terms(connection: Connection, beginning: str) -> Sequence[str]:
    """The trigrams in the index with this beginning, up to one more than are looked up (SQLite)."""
    between = _TERMS.c.term.between(beginning, beginning + _LAST)
    return connection.execute(select(_TERMS.c.term).where(between).limit(_MOST_TERMS + 1)).scalars().all()


def _lexemes(sought: str) -> str:
    """The query of PostgreSQL's text search: all the trigrams, or one with this beginning."""
    if len(sought) < _LENGTH:
        return f"{_lexeme(sought)}:*"
    return " & ".join(map(_lexeme, _grams(sought)))


def _lexeme(text: str) -> str:
    return f"'{_doubled(_doubled(text, chr(92)), chr(39))}'"


def _phrase(trigram: str) -> str:
    """The trigram in a query of FTS5."""
    return f'"{_doubled(trigram, chr(34))}"'


def _doubled(text: str, mark: str) -> str:
    return text.replace(mark, mark * 2)
