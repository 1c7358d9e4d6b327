"""READS that more than one package needs, a file for each subject: ``roles``, ``permissions``,
``assignments``, ``domains``, ``users``, ``subjects``, ``sessions``, ``trail``.

A read that a second package needs moves here. A write, and a join that only one capability needs, stays with
its owner. Rows are named tuples with the selected columns. Statements that every request may need are built
once, when the module is loaded: building one takes longer than SQLite takes to answer it.
"""
