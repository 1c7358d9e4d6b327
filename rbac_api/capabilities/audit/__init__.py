"""AUDIT. Reading, exporting and verifying the trail. Owns no table: each capability records its own events.

``service`` does this; ``queries``, ``schemas``, ``routes`` and ``errors`` are as in every capability.
"""
