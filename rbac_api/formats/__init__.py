"""Formats of HTTP bodies, pages and errors, without a web framework: for services and the command line.

``http_errors`` has the violations of HTTP, and the table from error kind to status. ``oauth_errors`` has the
errors that OAuth defines. ``paging`` cuts lists into pages, ``sheets`` writes them as CSV and NDJSON.
``row_versions`` makes ETags. ``as_of`` checks the time as of which a resource is read. ``strict_yaml`` reads
and writes YAML. ``text_files`` detects the encoding of a text. ``diagram`` is what a picture shows,
``layout`` places its nodes, ``svg`` draws it.
"""
