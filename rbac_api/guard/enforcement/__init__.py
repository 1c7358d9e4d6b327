"""Enforces on each request who may do what.

``decorators`` declares what a route needs and ``guard`` enforces it.  ``rules`` says what a rule demands,
``clearance`` is the proof that a service function requires (``authority``: what its caller holds, and
where), ``unit_of_work`` its transaction, ``runtime`` what services share besides it (``assembly`` builds it),
``refusals`` records who was refused, ``idempotency`` replays answers, ``oauth_callers`` and ``clients``
authenticate programs, ``issuers`` refuses credentials whose issuer holds less, ``sign_out`` finds the session
to end, ``host_application`` guards other Flask applications, and ``background_start`` begins threads with the
first request.

The ``queries_*`` modules hold their SQL: ``queries_clients``, ``queries_idempotency``, ``queries_issuers``,
``queries_refusals``, ``queries_strength``.
"""
