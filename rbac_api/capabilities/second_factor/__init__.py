"""SECOND FACTOR.  Owns the tables ``totp_factors`` and ``recovery_codes``: setting up, proving and removing a second factor.

Time-based codes (RFC 6238: SHA-1, six digits, thirty seconds, one step early or late), and ten recovery codes for the day the device
is lost.  The shared secret is sealed, recovery codes are kept as keyed hashes, and every code is good for once: each is spent by one
conditional update.  Refuses: a second factor beside the first, confirming late, removing it from a session that did not prove it.
Called by ``signin``, ``me`` and ``users``; has no routes.
"""
