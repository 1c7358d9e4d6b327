"""What the service does (policy administration point): one package per capability, the same file names in
each.

Of people: ``users``, ``signin``, ``sessions``, ``me``, ``passwords``, ``second_factor``, ``attempts``,
``erasure``. Of programs: ``service_accounts``, ``oauth``, ``keys``, ``revocations``, ``offline_roles``.
Of roles: ``roles``, ``permissions``, ``assignments``, ``activations``, ``constraints``, ``policy``,
``domains``. Of decisions: ``access``, ``evaluation``, ``use``, ``role_graph``. Of the service itself:
``audit``, ``incidents``, ``operation``.

``routes`` decode, call one service function and answer; ``schemas`` document; ``service`` decides and
records; ``queries`` contain the SQL; ``errors`` define what can go wrong; ``answers`` are the types of what
services return. Inside: routes → schemas, service; service → queries, errors. Between: only ``service``,
without cycles:

    signin, me → users, sessions, passwords    assignments → users, roles, domains
    users → sessions, passwords                roles → permissions
    policy → permissions, roles, users, assignments
"""
