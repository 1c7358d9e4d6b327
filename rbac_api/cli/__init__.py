"""The operator's command line, ``rbac-api``, and the production server.

``commands`` lists the commands, and ``group`` connects them to the application. The commands are in
``accounts``, ``assignments``, ``doctor``, ``people``, ``policy``, ``questions``, ``roles``, ``setup``,
``start``, ``trail`` and ``unused``; ``loading`` imports them, and ``prepare`` makes a database ready.
``csv_file`` reads CSV. ``output``, ``plan_text`` and ``refusals`` write to the terminal. ``serve`` configures
gunicorn; ``worker``, ``connections``, ``connection``, ``exchange`` and ``request_framing`` are its worker.

The commands call services as routes do, with the operator's clearance: the rules over whole sets apply,
permissions do not. Every change is in the audit trail, with the actor ``operator`` or ``system``.
"""
