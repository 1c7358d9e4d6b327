"""Makes answers.

``problems`` makes the problem document (RFC 9457), ``json_response`` writes JSON, ``exports`` streams CSV and
NDJSON, ``pictures`` draws, ``constant`` serves bytes that never change.
"""
