"""PASSWORDS. Owns hashing (bcrypt over a keyed pre-hash), the rules for passwords, and the one queue in front
of the processor.

``service`` checks the rules, ``hashing`` computes; ``errors`` is as in every capability. It has no routes and
no tables: ``signin``, ``me`` and ``users`` call it.

Refuses: short, long, common or self-descriptive passwords; more waiting sign-ins than the queue holds.
"""
