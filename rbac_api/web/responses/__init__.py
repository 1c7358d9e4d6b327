"""Makes answers.

``problems`` has the table from error kind to status and the problem document (RFC 9457), ``json_response`` writes JSON, ``exports`` streams
CSV and NDJSON, ``constant`` serves bytes that never change.
"""
