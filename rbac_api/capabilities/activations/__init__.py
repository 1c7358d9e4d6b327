"""ACTIVATIONS.  Owns the table ``activations``: which roles somebody made active in a session of hers, until when and why.

Refuses: a role that no assignment of hers allows at this moment, longer than it allows, together with roles that a dynamic constraint
keeps apart.  Everybody acts on the session of her own request alone.
"""
