"""CONSTRAINTS. Owns the tables ``constraints`` and ``constraint_roles``: separation of duty, and other rules
about which roles may come together.

``service`` creates, deletes and enforces them, ``rules`` checks what they say; ``violations`` finds who
breaks them; ``answers`` types what they take and return, and ``serializers`` writes it.

Refuses a rule that is already broken, and a change of a rule about roles that hold more than the caller does.
Each function that writes assignments or inheritance calls ``service.require_constraints`` afterwards, in the
same unit: one door for every path.
"""
