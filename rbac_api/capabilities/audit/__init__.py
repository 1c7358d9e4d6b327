"""AUDIT.  Reading, exporting and verifying the trail.  Owns no table: the trail is written by whoever changes something."""
