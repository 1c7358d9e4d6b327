"""POLICY. Loads, plans, applies and reverts whole policies: the built-in part at every start, seed files when
asked, and documents. Owns the table ``policy_changes``.

``service`` is the door. ``seeds`` loads documents, ``engine`` plans and applies them, ``revert`` undoes one,
``drift`` compares one with the database, ``export`` writes it, also as it was (``past`` with
``queries_past``), ``suggestion`` makes one of what is used, ``imports`` reads tables of assignments.
``state`` is the working copy, with ``places`` for domains, ``work`` what it comes to; ``steps``,
``assigning``, ``cataloguing``, ``constraining`` and ``placing`` change it, ``outranking``, ``references`` and
``plan_queue`` guard it, ``inside`` is the part of it in one domain, ``impact`` says what a change means for
users, and ``in_use`` what of that they use; ``reading`` gives each computation rows of one moment, and
``queries_changes`` is about the policies that were applied.
``current_state`` is what there is, in the form of a document, and ``schemas_document`` describes the form;
``holders`` translates terms, and ``erasure`` takes out names.

Each step goes through the same guards as the single change. Loading or applying a document twice changes
nothing. Nothing is removed without ``prune``, and nothing built-in is ever removed.
"""
