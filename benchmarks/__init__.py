"""Measures the speed of the service relative to a baseline on the same machine: ``python -m benchmarks``.

Absolute figures depend mostly on the machine, so each measurement alternates with its baseline: the protected
request (``protected``) with a bare Flask route on the same server, ``rotations`` with the database's own
durable commits, ``logins`` with raw bcrypt on all cores. ``decisions`` are compared with two libraries, one
after the other. ``report`` prints medians over several alternations; CPU time is that of the server
processes. Programs of their own: ``load`` sends requests, ``processes`` starts ``server``, ``stage`` fills a
database, ``plans``, ``public_gets``, ``role_changes``, ``slow_readers``, ``trail_growth``, ``uses``,
``many_users``, ``domains``, ``auditing``, ``reads`` and ``writes`` measure single questions, ``measure``
the code. ``endurance`` loads two nodes for half an hour, with the clients of ``actors``. All use only the
loopback address and are bounded in time.
"""
