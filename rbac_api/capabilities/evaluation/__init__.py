"""Decisions for client apps: may this subject do that? OpenID AuthZEN Authorization API 1.0, sections 5 to
10, without the search for resources, of which this service knows none.

``questions`` reads requests, ``service`` answers, ``search`` finds subjects and actions, ``protocol`` is
AuthZEN's HTTP form.

Owns the form of questions, their mapping to permissions, and what an answer reveals. Refuses to write
anything, to say whether a subject exists, to name roles. For callers with ``access:evaluate``; the decision
itself is the guard's own (``decision.evaluate.decide``).
"""
