"""KEYS. Owns the table ``signing_keys``: making, rotating and withdrawing the keys that sign.

``service`` does this, ``serializers`` describes keys as ``answers`` types them.

The private part is stored sealed with the instance secret, and erased when a key is withdrawn. Refuses to
change a key that comes from the settings, and to withdraw the one that signs.
"""
