"""Owns the connection to SQL: engines, units of work, column types, tables, and which constraint means which error.

Two promises hold on both engines and everything above leans on them.

*One writer at a time.*  ``Database.writing`` takes the write lock (SQLite: ``BEGIN IMMEDIATE`` behind a lock of the process;
PostgreSQL: one advisory transaction lock) before its first statement and keeps it to the commit.  So whatever a writer reads it may
rely on: guards over sets (the last administrator, cycles) need no further locks, commits are totally ordered, deadlocks cannot
arise between our own writers.

*Durable when answered.*  SQLite runs in WAL with ``synchronous=FULL``, PostgreSQL with its default ``synchronous_commit``.

Refuses: SQL anywhere but here, in a capability's ``queries.py`` and in ``trail``.  Called by everything to its left; imports no HTTP.
"""
