"""USERS.  Owns the tables ``users`` and ``password_setups``: accounts, their status, and how a password gets onto them.

Refuses: roles inside a user body (assignment is a resource of its own), acting on somebody stronger, leaving nobody to administrate,
giving an id or a username out twice.  Called by ``signin``, ``me``, ``assignments`` and ``policy``.
"""
