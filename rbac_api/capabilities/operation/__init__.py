"""OPERATION. What operators and verifiers ask: is it up, is it ready, its figures, its public keys, what a
problem code means.

``service`` answers these, ``figures`` adds facts to the metrics, ``diagnosis`` is what ``rbac-api doctor``
checks, and ``retention`` deletes old rows.
"""
