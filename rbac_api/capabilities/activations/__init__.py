"""ACTIVATIONS. Owns the table ``activations``: which roles a user made active in a session, until when and
why.

Refuses: a role that no assignment of the user allows at this moment, a longer time than it allows, and roles
together that a dynamic constraint keeps apart. Callers act only on the session of their own request.
"""
