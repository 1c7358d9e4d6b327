"""What the service does (policy administration point): one package per capability, the same file names in each.

``routes`` decode, call one service function and answer; ``schemas`` document; ``service`` decides and records; ``queries`` speak SQL;
``errors`` name what can go wrong.  Inside: routes → schemas, service; service → queries, errors.  Between: only ``service``, acyclic:

    signin, me → users, sessions, passwords        assignments → users, roles        users → sessions, passwords
    roles → permissions                            policy → permissions, roles, users, assignments
"""
