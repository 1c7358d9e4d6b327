"""SERVICE ACCOUNTS. Owns the tables ``service_accounts`` and ``client_secrets``, and the rows of ``users``
whose kind is ``service``.

``service`` creates, changes, deletes and assigns; ``secrets`` issues and withdraws client secrets;
``accounts`` finds an account; ``answers`` types the filters of the list.

A service account is a program that signs in: it holds roles as users do, has secrets instead of a password,
and gets its access tokens at ``POST /oauth/token``. Refuses: a name that is or was in use, acting on an
account that is stronger than the caller, showing a secret twice, more live secrets than are needed to replace
one. Only its own routes call it.
"""
