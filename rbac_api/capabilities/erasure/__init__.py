"""ERASURE. Erases the personal data of a deleted user (GDPR article 17), in all tables. Owns no table: it
calls the service of each capability that has such data.

Refuses: a user who is not deleted, or was erased before, and one who held more than the caller holds.
"""
