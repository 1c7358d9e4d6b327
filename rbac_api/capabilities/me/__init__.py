"""ME.  What everybody may do with an account of her own: look, change the profile and the password, end her sessions.  Owns no table."""
