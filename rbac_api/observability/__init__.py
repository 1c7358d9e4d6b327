"""Logs and metrics.

``logs`` writes one JSON object per line (structlog) with the id of the request, through ``buffered_stderr``.
``metrics`` counts for Prometheus. ``background`` keeps threads running whose work fails. The package imports
no other one of the service, so every other package may use it.
"""
