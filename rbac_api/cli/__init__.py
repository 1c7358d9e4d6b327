"""The command line of operators, ``rbac-api …``, and the start of the production server.

Calls services as routes do, with the operator's clearance: bound by the guards over sets, not by roles.  Everything it changes is in
the trail, with the actor ``operator`` or ``system``.
"""
