"""Each refusal under an id of its own, so that it can be explained later. The trail has what was refused
under ``seq``."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, String, Table, Text

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import ID, UtcDateTime

decisions = Table(
    "decisions",
    metadata,
    Column("id", ID, primary_key=True),
    Column("seq", BigInteger, ForeignKey("trail_events.seq"), nullable=False, unique=True),
    Column("at", UtcDateTime, nullable=False),
    Column("user_id", ID),  # whose request it was; empty for those at a shell
    Column("session_id", ID),
    Column("permission", String(200)),
    Column("role", String(127)),
    Column("code", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("second_factor", Boolean, nullable=False),
    Column("chosen_roles", Text),  # that its session was begun with, a space between; empty: all that counted
)
