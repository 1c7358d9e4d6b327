"""OAUTH. The protocol endpoints for programs: tokens for service accounts, refreshing, revocation,
introspection, metadata.

Owns no table. Refuses: passwords (people sign in at ``/v1/auth/login``), scopes (what a token permits follows
only from roles), a refresh token from another client, and the revocation of another user's token. ``signin``
does the refreshing, with the same rules.
"""
