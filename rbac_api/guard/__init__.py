"""Authenticates the caller of each request and decides whether it is allowed (policy enforcement point).

The way of a request through this package:

1. ``state.cache`` asks whether anything was committed since it last looked, and if so reads the end of the trail,
2. ``tokens.jwt`` reads the token and verifies it (remembered by the token's SHA-256, so the second time costs a look-up),
3. the session must be alive, the person in good standing, and ``decision.decide`` must say yes, on the *present* state: the roles in
   the token are for other services and are never asked,
4. a ``Clearance`` is made, and the view runs inside one unit of work; a writing unit decides *again* once it has the write lock.

A refusal becomes 401 or 403, and the 403 a row in the trail.  ``enforcement.decorators`` has the decorators; for a route of your own:

    protect(app, settings)

    @app.get("/reports")
    @requires("reports:read")
    def reports():
        return {"for": current_clearance().actor.name}

Owns: verified-token memory, the state cache, keys for verification, idempotent replay, recording of refusals.  Refuses: a view without a
decorator (at start-up).  Only this package makes a ``Clearance``.

Five packages, each imports only those after it: ``enforcement``, ``incidents``, ``state``, then ``revocation`` and ``tokens``; ``errors``
holds what the caller is answered.
"""
