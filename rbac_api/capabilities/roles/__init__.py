"""ROLES. Owns the tables ``roles``, ``role_permissions`` and ``role_inheritance``.

``service`` changes roles, ``listing`` selects, ``history`` reads earlier ones, ``built_in`` restores those
that are built in, ``rows`` has what both write, ``answers`` are the types of what is returned.

Refuses: weakening a built-in role, adding to a role what the caller does not hold (also by inheritance),
changing a role that holds more than the caller, closing a cycle, deleting a role that is held (unless
forced).

``homes`` says where a role is at home, and which roles the caller may read and change there.
"""
