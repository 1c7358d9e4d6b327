"""What is read, written and refused over HTTP, without a web framework: for services and the command line.

``http_errors`` are faults in how HTTP is spoken and the table from error kind to status, ``oauth_errors`` those
that OAuth names; ``paging`` cuts lists into pages, ``sheets`` writes them as CSV and NDJSON, ``row_versions``
makes ETags, ``as_of`` checks the time a read is for, ``client_info`` has
the network of an address, ``strict_yaml`` reads and writes YAML, ``text_files`` finds
the encoding of a text.
"""
