"""SERVICE ACCOUNTS.  Owns the tables ``service_accounts`` and ``client_secrets``, and the rows of ``users`` whose kind is ``service``.

A service account is a program that signs in: it holds roles as people do, has secrets instead of a password, and takes its access
tokens at ``POST /oauth/token``.  Refuses: a name that is or was anybody's, acting on an account that is stronger than the caller,
showing a secret twice, more live secrets than are needed to replace one.  Nobody calls it but its own routes.
"""
