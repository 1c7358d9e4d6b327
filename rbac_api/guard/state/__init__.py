"""Keeps the current state that decisions are made on, in memory and as fresh as the trail.

``cache`` holds roles, subjects and sessions, ``subjects`` builds them, ``queries`` and ``queries_role_graph``
read them, ``queries_history`` reads them as they were.
"""
