"""Connects to SQL: engines, transactions, column types, tables, and which constraint means which error.

``engine`` opens connections, with ``postgresql`` for that server; ``write_queue`` orders the writers of a
process and ``pending`` collects rows to write.  ``freshness`` and ``wal_index`` detect commits of others;
``sessions`` checks that PostgreSQL connections allow that.

``tables`` and ``types`` define the schema, ``migrate`` migrates it, ``constraints`` translates errors, and
``queries`` holds the SQL that several capabilities share.  ``prepared`` runs the busiest statements.
``filters``, ``homes``, ``text_search``, ``folding``, ``validity`` and ``dependent_rows`` help to write
queries.
``requirements``, with ``requirements_sqlite`` and ``requirements_postgresql``, checks the database.

Two guarantees hold on both engines, and everything else relies on them.

*One writer at a time.*  ``Database.writing`` takes the write lock (SQLite: ``BEGIN IMMEDIATE`` behind a lock
of the process; PostgreSQL: one advisory transaction lock) before its first statement and keeps it to the
commit.  So a writer may rely on everything it reads: guards over sets (the last administrator, cycles) need
no further locks, commits are totally ordered, and deadlocks cannot arise between our own writers.  On
PostgreSQL refreshes, sign-ins and refusals are written without it, each in one statement (decisions 68, 70
and 73); they change no user's authority.

*Durable when answered.*  SQLite runs in WAL with ``synchronous=FULL``, PostgreSQL with its default
``synchronous_commit``.

SQL is allowed only here, in the ``queries`` modules of capabilities and the guard, and in ``trail``.  This
package imports no HTTP.
"""
