"""Authenticates the caller of each request and decides whether it is allowed (policy enforcement point).

The way of a request through this room:

1. ``snapshot`` asks the gate whether anything was committed since it last looked, and if so reads the tail of the trail,
2. ``bearer`` reads the token and verifies it (remembered by the token's SHA-256, so the second time costs a look-up),
3. the session must be alive, the person in good standing, and ``decision.decide`` must say yes, on the *present* state: the roles in
   the token are for other services and are never asked,
4. a ``Clearance`` is made, and the view runs inside one unit of work; a writing unit decides *again* once it has the write lock.

A refusal becomes 401 or 403, and the 403 a row in the trail.  ``requires`` shows the decorators; for a route of your own:

    protect(app, settings)

    @app.get("/reports")
    @requires("reports:read")
    def reports():
        return {"for": current_clearance().actor.name}

Owns: verified-token memory, the snapshot, keys for verification, idempotent replay, recording of refusals.  Refuses: a view without a
decorator (at start-up).  Only this room makes a ``Clearance``.
"""
