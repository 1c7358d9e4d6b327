"""Documents each operation where it is declared.

``blueprint`` has the decorators, ``document_bodies`` those for whole documents, ``oauth_protocol`` those of
OAuth endpoints. ``descriptions`` has the recurring texts, ``document`` the OpenAPI 3.1 document,
``swagger_ui`` the page that shows it. ``smorest`` is the only module that uses private parts of a library,
and says why.
"""
