"""KEYS.  Owns the table ``signing_keys``: making the key that signs.  The private part is stored sealed with the instance secret."""
