"""AUDIT. Reading, exporting and verifying the trail. Owns no table: each capability records its own
events."""
