"""Draws a session's life downwards: the sign-in, its refreshes by address, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, pairwise

from rbac_api.capabilities.sessions.answers import SessionAnswer
from rbac_api.database.queries.sessions import RefreshTokenRow
from rbac_api.formats.diagram import Arrow, Diagram, Node, moment

UNKNOWN = "no address"


def timeline_of(session: SessionAnswer, tokens: Iterable[RefreshTokenRow], *, more: bool) -> Diagram:
    """The timeline; ``tokens`` are in order of generation, and ``more``: not all of them.

    Refreshes that follow each other from one address are one node.
    """
    username = session["user"]["username"]
    begun, address = moment(session["created_at"]), session["ip"] or UNKNOWN
    nodes = [
        Node(
            "begin",
            "account",
            (f"{username} signed in", begun, address, " ".join(session["amr"])),
            f"{username} signed in at {begun} from {address} with {' and '.join(session['amr'])}",
        )
    ]
    rotations = (token for token in tokens if token.generation > 1)
    for number, (ip, group) in enumerate(groupby(rotations, key=lambda token: token.ip)):
        nodes.append(_refreshes(f"refreshes {number}", ip, list(group)))
    if more:
        nodes.append(Node("more", "event", ("more refreshes", "see refresh-tokens"), "More refreshes follow"))
    nodes.append(_end(session))
    arrows = (Arrow(one.id, after.id, "then") for one, after in pairwise(nodes))
    return Diagram(f"Session of {username} from {begun}", tuple(nodes), tuple(arrows), downwards=True)


def _refreshes(name: str, address: str | None, tokens: list[RefreshTokenRow]) -> Node:
    address = address or UNKNOWN
    first, last = moment(tokens[0].issued_at), moment(tokens[-1].issued_at)
    count = f"{len(tokens)} refresh{'es' if len(tokens) > 1 else ''}"
    when = (first,) if len(tokens) == 1 else (f"from {first}", f"to {last}")
    return Node(
        name,
        "event",
        (count, *when, address),
        f"{count} from {address} between {first} and {last}",
    )


def _end(session: SessionAnswer) -> Node:
    if session["ended_at"] is None:
        until = moment(session["expires_at"])
        return Node("end", "event", ("active", f"until {until}"), f"Active, until {until} unless refreshed")
    ended, reason = moment(session["ended_at"]), session["end_reason"] or ""
    return Node("end", "end", (f"ended: {reason}", ended), f"Ended at {ended}: {reason}")
