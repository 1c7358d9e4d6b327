"""Measures the code itself: sizes, documentation, types, import cycles, and the path of three requests.

``make measure`` prints the figures, and writes them and the map into ARCHITECTURE.md. ``source`` reads the
code and runs nothing. ``journeys`` runs three requests in this process and counts what they enter. ``table``
prints, ``map`` draws the packages, ``page`` writes.
"""
