"""Everything about HTTP that is not about users, roles or sessions: strict parsing, problem documents, pages, the OpenAPI document.

``server`` holds what is alike for every request, ``openapi`` the decorators that document a route, ``requests`` and ``responses`` what
they read and write; ``fields`` are field types that refuse what a database could not hold, ``pagination`` makes signed
cursors.  Knows no SQL.  Called by ``guard`` and by ``routes.py`` files.
"""
