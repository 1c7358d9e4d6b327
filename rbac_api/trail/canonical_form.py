"""Writes JSON in one form: what is hashed, and what is stored to be hashed. The same function verifies
exports where this service is not installed."""

from rbac_verifier.events import canonical

__all__ = ["canonical"]
