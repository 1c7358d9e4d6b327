"""Reads requests, strictly.

``arguments`` reads bodies and queries, ``yaml_bodies`` YAML, ``etags`` preconditions,
``as_of`` the time a read is for, ``client_info`` the caller's address and user agent.
"""
