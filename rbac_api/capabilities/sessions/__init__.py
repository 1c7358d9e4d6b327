"""SESSIONS.  Owns the tables ``sessions`` and ``refresh_tokens``: beginning, rotating, ending and listing.

A session is one sign-in.  It is active until it is ended or one of its deadlines passes; nothing sweeps, the deadlines are compared
when somebody looks.  Each refresh token has one successor; whoever comes with a spent one outside the leeway ends the session.
Called by ``signin``, ``me`` and ``users``.
"""
