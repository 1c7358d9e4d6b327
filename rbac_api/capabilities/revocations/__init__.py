"""REVOCATIONS.  The signed feed by which services that verify tokens themselves learn which of them are dead.  Reads the denylist that
``guard.revocation.denylist`` writes; changes nothing; anybody may call it, since ids of sessions and tokens open nothing.
"""
