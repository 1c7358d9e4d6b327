"""SESSIONS. Owns the tables ``sessions`` and ``refresh_tokens``: beginning, rotating, ending and listing.

``service`` begins and lists sessions; ``rotation`` exchanges refresh tokens, ``termination`` ends sessions,
``bulk_revocation`` ends many, ``retention`` deletes old ones. ``session_access`` says what is active in one,
``pictures`` draws its life, ``filters`` selects, ``serializers`` and ``exports`` describe, ``answers`` are
the types of what is returned. ``queries_rotation`` is the SQL of an exchange, ``queries_beginning`` of a
session that begins in one statement with its sign-in, ``queries_erasure`` of what an erasure empties, and
``queries_past`` of sessions as they were.

A session is one sign-in. It is active until it is ended or one of its deadlines passes. No job marks expired
sessions: the deadlines are compared at each read. Each refresh token has one successor; a spent one that
comes back outside the leeway ends the session. Called by ``signin``, ``me`` and ``users``.
"""
