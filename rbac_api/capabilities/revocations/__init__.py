"""REVOCATIONS. The signed feed that tells services, which verify tokens themselves, which tokens are revoked.

``service`` signs it. It reads the denylist that ``guard.revocation.denylist`` writes, and changes nothing.
Every client may call it, since ids of sessions and tokens are no credentials.
"""
