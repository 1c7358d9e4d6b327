"""The tests. `cast.py` says who plays; `servers/` starts what they talk to."""
