"""Keeps the audit trail: one append-only, totally ordered, hash-chained table of events, written in the
transaction of the change.

It is the audit log, the change feed that refreshes every worker's memory, and the record of who had what
when.  Its ``seq`` is the system's revision.

``events`` has the catalogue of events, ``fields`` the classification of every audited column, ``recorder``
writes, ``chain`` verifies the chain, ``feed`` reads its tail, and ``named_role`` finds the events of a role.
``personal`` keeps personal values beside the chain, ``canonical_form`` writes what is hashed, and ``refused``
writes what explains a refusal.  ``tree`` keeps the Merkle tree over the events.

On PostgreSQL events of refreshes, sign-ins and refusals are committed without the write lock into the
``outbox``, from where the next writer or the ``sequencer`` links them.

It refuses an action outside the catalogue, an unclassified column, and a secret.  Services call it with the
connection of their unit of work:

    with database.writing() as connection:
        end_assignment(connection, ...)
        target = Target("user", user.id, user.username)
        record(connection, actor, "assignment.ended", target, before={"role": "auditor"})

Either both are committed or neither is.  If the event cannot be written, the caller gets ``Unavailable`` and
nothing has changed.
"""
