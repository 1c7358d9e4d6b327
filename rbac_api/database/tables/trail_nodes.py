"""Nodes of the Merkle tree over the trail: the hashes of complete subtrees of 64, 64², 64³ … events.

They can be computed from the events at any time. ``trail/tree.py`` adds them and never changes one.
"""

from sqlalchemy import BigInteger, Column, LargeBinary, SmallInteger, Table

from rbac_api.database.tables.metadata import metadata

trail_nodes = Table(
    "trail_nodes",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),  # 6, 12 … : 2 ** level events
    Column("position", BigInteger, primary_key=True, autoincrement=False),  # 0 is the subtree of the first
    Column("node", LargeBinary(32), nullable=False),
)
