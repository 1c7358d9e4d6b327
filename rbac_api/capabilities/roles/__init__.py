"""ROLES.  Owns the tables ``roles``, ``role_permissions`` and ``role_inheritance``.

Refuses: weakening what is built in, putting into a role what the caller does not hold (also by inheritance), changing a role that
holds more than the caller, closing a cycle, deleting a role that somebody holds (unless forced).
"""
