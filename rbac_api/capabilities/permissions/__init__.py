"""PERMISSIONS. Owns the table ``permissions``: what roles can hold. This service's own are built in and
cannot be deleted.

``service`` lists, creates and deletes them; ``answers`` are the types of what is returned.
"""
