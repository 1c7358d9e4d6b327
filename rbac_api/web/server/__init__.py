"""What holds for every request, whatever its route.

``http_setup`` sets sessions (none), limits, proxies and cross-origin rules, ``middleware`` the headers, the
count and the log line of each answer, ``proxy_headers`` what trusted proxies add, ``uncounted_proxy`` the warning about a proxy that is not
counted, ``rate_limits`` and ``shared_store`` how often a caller may ask, ``body_limits`` how much, ``path_spellings``
which spelling of a path, and ``start_page`` the page at ``/``.
"""
