"""Reads and writes credentials; knows no account.

``credentials`` finds them in a request, ``jwt`` checks the form of tokens, verifies and makes them, ``token``
holds the claims of one, ``keys`` and ``signing`` hold the signing keys, ``queries`` reads
them, ``installation`` and ``queries_installation`` compare the secrets of all nodes.
"""
