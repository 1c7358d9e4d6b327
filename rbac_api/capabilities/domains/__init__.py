"""DOMAINS. Owns the table ``domains``: the places where roles count, in a tree. ``root`` is always there.

``service`` creates, changes, lists and deletes them, and ``own_domains`` lists where the caller may do
something; ``named`` says where a role or a constraint is at home; ``answers`` are the types of what is
returned.

Refuses: a domain whose parent does not exist, deleting one in which anything lives.
"""
