"""Logs, metrics and request ids.

``logs`` writes one JSON object per line (structlog), through ``buffered_stderr``. ``metrics`` counts for
Prometheus. ``request_id`` gives each request its id. It imports no other package of the service, so every
other package may use it.
"""
