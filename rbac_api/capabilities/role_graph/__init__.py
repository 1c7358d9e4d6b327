"""ROLE GRAPH. Shows roles and what they inherit, around one role, or with what a user was assigned.

Owns no table: it reads the roles in memory (``decision.hierarchy``), and the assignments of the user.
"""
