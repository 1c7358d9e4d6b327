"""How fast it is, as shares of something bare on the same machine: ``python -m benchmarks`` (or ``make bench``).

Absolute figures say more about the machine than about us, so each measurement is interleaved with its yardstick: the protected
request with a bare Flask route on the same server, rotations with the database's own durable commits, logins with raw bcrypt on all
cores.  Decisions stand beside those of two libraries, one after the other.  Medians over several alternations are printed; CPU time is
the server processes' own.  Loopback only, bounded in time.
"""
