"""The error for a server that cannot be had or does not come up."""


class ServerMissing(RuntimeError):
    """Something the tests need is not on this machine; the message says how to get it."""
