"""SIGN-IN.  Owns the table ``signin_attempts`` and everything a client does without being signed in: login, refresh, password setup.

Refuses in one voice: every failed login is 401 ``login.failed`` with one body, after exactly one hash at the configured cost.
"""
