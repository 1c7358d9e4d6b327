"""INCIDENTS. Reading and closing what ``guard.incidents.detection`` opened: owns the closing, and nothing
else of the table ``incidents``.

An incident is open until a user has investigated it and closes it with a reason; if it happens again, another
one is opened. ``answers`` types what is returned.
"""
