"""POLICY.  Documents in: the built-in permissions and roles at every start, and seed files when asked.  Owns no table.

Everything goes through the services of the capabilities that own the tables, with the same guards; loading twice changes nothing.
"""
