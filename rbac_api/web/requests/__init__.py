"""Reads requests, strictly.

``arguments`` reads bodies and queries, ``yaml_bodies`` YAML, ``etags`` preconditions, and ``as_of`` the
time a read is for.
"""
