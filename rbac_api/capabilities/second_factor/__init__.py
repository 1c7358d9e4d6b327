"""SECOND FACTOR. Owns the tables ``totp_factors`` and ``recovery_codes``: setting up, proving and removing a
second factor.

``service`` does this, ``codes`` makes and compares the codes. It has no routes: ``signin``, ``me`` and
``users`` call it.

There are time-based codes (RFC 6238: SHA-1, six digits, thirty seconds, one step early or late), and ten
recovery codes for a lost device. The shared secret is sealed, and recovery codes are stored as keyed hashes.
Every code works once: one conditional update spends it. Refuses: a second factor beside the first, late
confirmation, removal in a session that did not prove it.
"""
