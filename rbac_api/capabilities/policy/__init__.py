"""POLICY.  Documents in and out: the built-in part at every start, seed files when asked, and whole policies that are planned, applied and
undone.  Owns the table ``policy_changes``.

``seeds`` loads, ``engine`` plans and applies, ``revert`` undoes, ``imports`` takes tables of assignments; ``present`` is what there is and
``impact`` what a change means for people; ``service`` is the door.  Everything goes through the services of the capabilities that own the
tables, with the same guards; loading or applying twice changes nothing.  Refuses: removing anything unless told to prune, and ever what is
built in.
"""
