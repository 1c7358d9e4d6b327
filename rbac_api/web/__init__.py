"""Everything about HTTP that is not about users, roles or sessions: problem documents, strict parsing, pages, ETags.

Owns the one table from error kind to status (``problems``), the blueprint whose decorators document themselves (``blueprint``), the
OpenAPI document (``api``), field types that refuse what a database could not hold (``fields``), signed cursors (``pagination``),
strong tags (``etags``), fast JSON answers (``answers``), the request id (``request_id``), counters (``metrics``), what every answer
gets (``envelope``) and Swagger UI (``docs``).  Knows no SQL.  Called by ``guard`` and by ``routes.py`` files.
"""
