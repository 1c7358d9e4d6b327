"""Users are searched without typographic marks: an apostrophe or a dash is the plain one of a keyboard.

Revision 0009, after 0008.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

APOSTROPHES = "\u2018\u2019\u02bc\u2032"
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2212"


def upgrade() -> None:
    plain = "search_text"
    for marks, mark in ((APOSTROPHES, "''''"), (DASHES, "'-'")):
        for other in marks:
            plain = f"replace({plain}, '{other}', {mark})"
    op.execute(f"UPDATE users SET search_text = {plain} WHERE search_text <> {plain}")  # noqa: S608


def downgrade() -> None:
    """Nothing is lost by it: the release before finds these users by the plain marks."""
