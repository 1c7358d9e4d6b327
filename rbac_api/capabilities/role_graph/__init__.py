"""ROLE GRAPH. Shows roles and what they inherit, around one role, or with what a user was assigned.

``service`` takes a part of the graph, ``pictures`` draws it, ``answers`` are the types of what is returned.

Owns no table: it reads the roles in memory (``decision.hierarchy``), and the assignments of the user.
"""
