"""PASSWORDS. Owns the rules for passwords.

``service`` checks the rules; ``guard/hashing.py`` hashes and compares. It has no routes and no tables:
``signin``, ``me`` and ``users`` call it.

Refuses: short, long, common or self-descriptive passwords.
"""
