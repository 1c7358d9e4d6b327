"""PASSWORDS. Owns the rules for passwords.

``service`` checks the rules; ``errors`` is as in every capability. It has no routes and no tables: ``signin``,
``me`` and ``users`` call it. ``guard/hashing.py`` hashes and compares.

Refuses: short, long, common or self-descriptive passwords.
"""
