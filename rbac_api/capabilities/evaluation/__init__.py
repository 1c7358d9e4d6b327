"""Decisions for client apps: may this subject do that?  OpenID AuthZEN Authorization API 1.0, sections 5 to 7, 9 and 10.

Owns: the questions' form, how they map to permissions, and what an answer tells.  Refuses: to write anything, to say whether a subject
exists, to name roles.  For whoever holds ``access:evaluate``; the decision itself is the guard's own (``decision.evaluate.decide``).
"""
