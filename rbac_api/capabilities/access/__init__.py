"""ACCESS. Who may do what, why or why not, since when, and what changed: the review functions of ANSI INCITS
359 (section 6.1.4).

``service`` explains decisions, with ``explanation_view`` for the details of each step and ``subjects`` for
whom the question is about; ``held_permissions`` lists everything that an account may do, ``holders`` who has
a role or a permission; ``diff`` compares two moments; ``pictures`` draws paths. ``answers`` types what they
return.

Owns no table and changes nothing; the guard writes ``decisions``. Explanations come from
``decision.explain``, which is built on the functions that enforce. Lists of holders are selected by SQL and
checked by ``decide``. Refuses to explain other users' access to a caller who may not read them.
"""
