"""SIGN-IN. Everything a client does without being signed in: login, refresh, password setup.

``service`` signs in, refreshes and signs out; ``attempts`` checks the password and the second factor,
``tokens`` issues. ``answers`` are the types of what is returned. Owns no table: ``attempts``, ``users`` and
``sessions`` own what it writes.

Every failed login has the same answer, 401 ``login.failed``, after exactly one hash at the configured cost.
"""
