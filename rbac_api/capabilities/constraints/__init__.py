"""CONSTRAINTS.  Owns the tables ``constraints`` and ``constraint_roles``: separation of duty, and other rules about which roles may come
together.

Refuses: a rule that is broken already, making or removing one about roles that hold more than the caller does.  Whoever writes
assignments or inheritance calls ``service.require_constraints`` afterwards, in the same unit: one door for every path.
"""
