"""PERMISSIONS.  Owns the table ``permissions``: what there is to hold.  This service's own are built in and cannot be deleted."""
