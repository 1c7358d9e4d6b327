"""OAUTH.  The protocol endpoints for programs: tokens for service accounts, refreshing, revocation, introspection, metadata.

Owns no table.  Refuses: passwords (people sign in at ``/v1/auth/login``), scopes (what a token may do follows from roles alone), a
refresh token in another client's hands, revoking somebody else's token.  Refreshing is ``signin``'s, word for word.
"""
