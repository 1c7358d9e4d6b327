"""PASSWORDS.  Owns hashing (bcrypt over a keyed pre-hash), what a password must be, and the one queue in front of the processor.

Refuses: short, long, common or self-descriptive passwords; more waiting sign-ins than the queue holds.  Called by ``signin``, ``me``
and ``users``; has no routes and no tables.
"""
