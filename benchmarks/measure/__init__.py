"""Measures the code itself: sizes, documentation, types, import cycles, and the way of three requests through it.

``make measure`` prints the figures and writes ARCHITECTURE.md's map and figures anew. ``source`` reads the code and runs nothing;
``journeys`` runs three requests in this process and counts what they enter; ``table`` prints; ``map`` draws the packages; ``page`` writes.
"""
