"""ACCESS.  Who may do what, why or why not, since when, and what changed: the review functions of ANSI INCITS 359 (section 6.1.4).

Owns no table, and changes nothing; ``decisions`` is written by the guard.  Explanations come from ``decision.explain``, which is built on
what enforces; lists of holders are cut out by SQL and judged by ``decide``.  Refuses to explain others to whoever may not read them.
"""
