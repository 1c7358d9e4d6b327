"""AUDIT. Reading, exporting and verifying the trail. Owns no table: each capability records its own
events.

``evidence`` makes checkpoints and proofs, ``publisher`` writes a checkpoint a day, and ``posting`` posts it.
"""
