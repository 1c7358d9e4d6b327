"""HTTP without users, roles or sessions: parsing, problem documents, paging, the OpenAPI document.

``server`` applies to every request. ``openapi`` has the decorators that document a route. ``requests`` and
``responses`` read and write. ``fields`` has field types that refuse what a database cannot store.
``pagination`` cuts lists into pages, from one signed position (``cursors``) to the next. It contains no SQL.
``guard`` and the ``routes.py`` files call it.
"""
