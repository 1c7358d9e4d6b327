"""Decisions for client apps: may this subject do that? OpenID AuthZEN Authorization API 1.0, sections 5 to
10; a resource that is found means all of its type in a domain.

``questions`` reads requests, ``service`` answers, ``search`` finds subjects, actions and resources,
``protocol`` is AuthZEN's HTTP form, ``schemas_search`` describes searches.

Owns the form of questions, their mapping to permissions, and what an answer reveals. Refuses to write
anything, to say whether a subject exists, to name roles. For callers with ``access:evaluate``; the decision
itself is the guard's own (``decision.evaluate.decide``).
"""
