"""Reads requests, strictly.

``arguments`` reads bodies and queries, ``yaml_bodies`` YAML, ``etags`` preconditions, ``as_of`` the
time a read is for, and ``cursors`` the positions from which lists go on.
"""
