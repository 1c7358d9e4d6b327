"""ASSIGNMENTS. Owns the table ``assignments``: who holds which role, since when, by whom and why.

``service`` assigns and ends; ``terms`` are the period and mode, ``own_assignments`` the rule for one's own
roles, ``available_roles`` lists what the caller may assign, ``listing`` the assignments of all accounts,
with SQL of its own (``queries_listing``); ``exports`` writes the file, ``answers`` types what is returned.

Refuses: handing out what the caller does not hold, acting on a stronger user, leaving no administrator.
Removing an assignment ends it; the row stays.
"""
