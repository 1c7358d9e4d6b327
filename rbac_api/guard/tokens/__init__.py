"""Reads and writes credentials; knows no account.

``credentials`` finds them in a request, ``claims`` checks the form of a token, ``token`` holds its
claims, ``jwt`` verifies and makes tokens, ``keys`` and ``signing`` hold the signing keys, ``queries`` reads
them, ``installation`` and ``queries_installation`` compare the secrets of all nodes.
"""
