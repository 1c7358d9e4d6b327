"""Reads and writes credentials; knows no account.

``credentials`` finds them in a request, ``jwt`` checks the form of tokens, verifies and makes them, ``token``
holds the claims of one. ``keys`` decides which key signs and which verify, ``kept_keys`` reads them from SQL
(``queries``) and the settings, ``signing`` makes single keys and signs. ``installation`` and
``queries_installation`` compare the secrets of all nodes.
"""
