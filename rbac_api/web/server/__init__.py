"""Applies to every request, whatever its route.

``http_setup`` sets sessions (none), limits, proxies and cross-origin rules. ``middleware`` adds the headers,
the count and the log line of each answer. ``proxy_headers`` reads what trusted proxies add, and
``uncounted_proxy`` warns about a proxy that the settings do not count. ``rate_limits`` and ``shared_store``
limit how often a caller may ask, ``body_limits`` how much a caller may send. ``path_spellings`` refuses other
spellings of a path. ``start_page`` is the page at ``/``.
"""
