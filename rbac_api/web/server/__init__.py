"""Applies to every request, whatever its route.

``middleware`` gives each request its id, and each answer its headers, its count and its log line; it warns
about a proxy that the settings do not count, and refuses large bodies and other spellings of a path.
``http_setup`` sets path parameters, proxies and cross-origin rules. ``proxy_headers`` reads what trusted
proxies add. ``rate_limits`` and ``shared_store`` limit how often a caller may ask. ``start_page`` is the page
at ``/``.
"""
