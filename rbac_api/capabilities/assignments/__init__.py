"""ASSIGNMENTS.  Owns the table ``assignments``: who holds which role, since when, by whom and why.

Refuses: handing out what the caller does not hold, acting on somebody stronger, leaving nobody to administrate.  Removing an
assignment ends it; the row stays.
"""
