"""Records revoked sessions and tokens, for this service and for services that verify offline.

``denylist`` records them, ``redis_publisher`` copies them to Redis, ``queries`` reads and writes them.
"""
