"""Authenticates the caller of each request and decides whether it is allowed (policy enforcement point).

A request passes through this package as follows:

    1. ``state.cache`` checks whether anything was committed since its last check; if so, it reads the end of
       the trail.
    2. ``tokens.jwt`` reads and verifies the token.  It remembers the token by its SHA-256, so the next use
       costs a look-up.
    3. The session must be alive, the account active, and ``decision.decide`` must allow the request on the
       *current* state.  The roles in the token are for other services; this service never decides by them.
    4. The guard makes a ``Clearance`` and runs the view in one unit of work.  A writing unit decides *again*
       once it has the write lock.

A refusal becomes 401 or 403, and the 403 a row in the trail.  ``enforcement.decorators`` has the decorators;
for a route of your own:

    protect(app, settings)

    @app.get("/reports")
    @requires("reports:read")
    def reports():
        return {"for": current_clearance().actor.name}

It owns the memory of verified tokens, the state cache, the keys for verification, idempotent replay and the
recording of refusals.  A view without a decorator is refused at start-up.  Only this package makes a
``Clearance``.

It has five packages, and each imports only those after it: ``enforcement``, ``incidents``, ``state``, then
``revocation`` and ``tokens``.  ``hashing`` hashes passwords, ``errors`` holds the refusals.
"""
