"""The rules (policy decision point): a snapshot and a question in, an answer with its reasons out.

Standard library only: no Flask, no SQL, no clock.  Whoever asks passes the moment.  Enforcement and explanation call the same
``decide``, so they cannot disagree.  Owns the model of roles (ANSI INCITS 359), the catalogue of this service's own permissions, the
compiled hierarchy, the guards over sets, and the document format of seeds.  A worked example:

    graph = RoleGraph.compile(
        [Role("clerk", permissions=frozenset({"invoices:read"})), Role("chief", permissions=frozenset({"invoices:approve"}))],
        permissions=[Permission("invoices:read"), Permission("invoices:approve")],
        inheritance=[("chief", "clerk")],
    )
    dana = Subject("0190...", "active", (Assignment("chief", starts=monday),))
    decide(graph, dana, "invoices:read", at=tuesday)
    # Decision(allowed=True, reasons=(Reason("granted", "chief inherits clerk, which holds invoices:read"),), ...)
"""
