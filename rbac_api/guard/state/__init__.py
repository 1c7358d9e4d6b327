"""Keeps the current state that decisions are made on, in memory and as fresh as the trail.

``cache`` holds roles, subjects and sessions, ``known_domains`` the names of domains, ``role_graphs`` changes
the roles in place, ``published_roles`` writes what they permit for other services, ``subjects`` builds
subjects and sessions, ``queries`` and ``queries_role_graph`` read them, ``queries_history`` reads them as
they were.  ``uses`` counts which permissions are used, with ``queries_uses``.
"""
