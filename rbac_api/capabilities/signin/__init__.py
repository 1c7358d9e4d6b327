"""SIGN-IN. Everything a client does without being signed in: login, refresh, password setup.

``service`` signs in and out, ``without_lock`` begins a session on PostgreSQL; ``attempts`` checks password
and second factor, ``tokens`` issues and exchanges tokens. ``answers`` are the types of what is returned. Owns
no table: ``attempts``, ``users`` and ``sessions`` own what it writes.

Every failed login has the same answer, 401 ``login.failed``, after exactly one hash at the configured cost.
"""
