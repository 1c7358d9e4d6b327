"""Documents each operation where it is declared.

``blueprint`` has the decorators, ``document_bodies`` those for whole documents, ``oauth_protocol`` those of OAuth endpoints,
``descriptions`` the texts that recur, ``document`` the OpenAPI 3.1 document, and ``swagger_ui`` the page that shows it.  ``smorest`` is the
one module that opens a library, and says why.
"""
