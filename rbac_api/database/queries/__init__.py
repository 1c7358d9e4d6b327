"""READS that more than one package needs, a file for each subject: ``roles``, ``permissions``, ``assignments``, ``users``,
``sessions``, ``trail``.

A read that a second package needs moves here; a write, and a join that one capability alone needs, stays with its owner.  Rows come as
named tuples, whose fields are the columns that were asked for.  Statements that every request may need are put together once, when the
module is loaded: building one takes longer than SQLite takes to answer it.
"""
