"""USERS. Owns the tables ``users`` and ``password_setups``: accounts, their status, and how passwords are
set.

``service`` creates, changes, disables and deletes accounts; ``erasure`` takes the name out of a deleted one;
``setup_tokens`` sets passwords and removes second factors; ``listing`` (with ``queries_listing``) selects and
sorts, ``past`` (with ``queries_past``) says who there was, ``serializers`` describe, ``answers`` are the
types of what is returned.

Refuses: roles inside a user body (assignment is a resource of its own), acting on a stronger user, leaving no
administrator, using an id or a username again. Called by ``signin``, ``me``, ``assignments`` and ``policy``.
"""
