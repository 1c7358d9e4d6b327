"""The audit trail: one append-only, totally ordered, hash-chained table of what happened, written in the transaction of what it tells.

It is the audit log, the change feed that freshens every worker's memory, and the record of who had what when.  Its ``seq`` is the
system's revision.  Owns the catalogue of events (``events``), the classification of every audited column (``fields``), the writing
(``recorder``), the chain (``chain``) and the reading of its tail (``feed``).  Refuses: an action outside the catalogue, a column
nobody classified, a secret.  Called by services, with the connection of their unit of work:

    with database.writing() as connection:
        end_assignment(connection, ...)
        record(connection, actor, "assignment.ended", Target("user", user.id, user.username), before={"role": "auditor"})

Either both are committed or neither is.  If the event cannot be written, the caller gets ``Unavailable`` and nothing has changed.
"""
