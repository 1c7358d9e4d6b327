"""Decides (policy decision point): a snapshot and a question in, an answer with its reasons out.

Standard library only: no Flask, no SQL, no clock.  The caller passes the moment.  Enforcement and explanation
call the same ``decide``, so they cannot disagree.

``model`` has the values (ANSI INCITS 359), ``domains`` where assignments count, ``hierarchy`` the compiled
roles (``components`` finds their cycles), ``evaluate`` the decision and the roles of sessions, ``explain``
its reasons in full, ``separation_of_duty`` the constraints, ``strength`` who may change whom,
``least_privilege`` what a role is without what is not used, and ``working`` roles that change step by step.
``document`` reads policy documents, ``document_form`` and ``document_rules`` say what is wrong in them,
``difference`` what they would change, ``plan_parts`` lists that.  ``names``, ``naming`` and ``texts`` have
the rules for usernames, for other names and for free text.
An example:

    >>> from datetime import UTC, datetime
    >>> from rbac_api.decision.evaluate import decide
    >>> from rbac_api.decision.hierarchy import RoleGraph
    >>> from rbac_api.decision.model import Assignment, Permission, Role, Subject
    >>> monday, tuesday = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)
    >>> graph = RoleGraph.compile(
    ...     [
    ...         Role("clerk", permissions=frozenset({"invoices:read"})),
    ...         Role("chief", permissions=frozenset({"invoices:approve"})),
    ...     ],
    ...     permissions=[Permission("invoices:read"), Permission("invoices:approve")],
    ...     inheritance=[("chief", "clerk")],
    ... )
    >>> dana = Subject("0190...", "active", (Assignment("chief", starts=monday),))
    >>> decision = decide(graph, dana, "invoices:read", at=tuesday)
    >>> decision.allowed, decision.reasons[0].detail
    (True, 'chief holds invoices:read')
"""
