"""INCIDENTS.  Reading and closing what ``guard.incidents.detection`` opened: owns the closing, and nothing else of the table ``incidents``.

An incident is open until somebody has looked at it and says why it is done; the same thing happening again then opens another one.
"""
