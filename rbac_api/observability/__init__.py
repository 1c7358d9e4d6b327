"""Logs, metrics and the request's name: what is said about the service while it runs.

``logs`` writes one JSON object a line (structlog), through ``buffered_stderr``; ``metrics`` counts for Prometheus; ``request_id`` names
each request.  Imports no other package of the service, so every other may use it.
"""
