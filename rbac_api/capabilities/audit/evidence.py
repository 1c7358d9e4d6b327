"""Checkpoints of the trail, and proofs against them: what an outside party needs to notice a rewritten trail.

The key is derived from the instance secret, so all nodes sign with the same one, and it stays when signing
keys of tokens are rotated.  Nothing here tells what an event says, so asking is not recorded.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rbac_api.capabilities.audit import queries
from rbac_api.capabilities.audit.errors import EventNotFound, TreeIncomplete
from rbac_api.database.engine import Database
from rbac_api.decision.model import ROOT
from rbac_api.errors import Fault, Invalid
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.sealing import derived_key
from rbac_api.settings import Settings
from rbac_api.trail.feed import newest_seq
from rbac_api.trail.sequencer import drain_outbox
from rbac_api.trail.tree import StoredTree, extend_tree
from rbac_verifier.encodings import encode_base64
from rbac_verifier.merkle import consistency_path, inclusion_path
from rbac_verifier.notes import Checkpoint, key_of, sign

BATCHES = 16  # that a request builds at most: 262144 events, about a second
RETRY_SECONDS = 2


def verification_key(settings: Settings) -> str:
    """The public key of checkpoints in the form of C2SP signed notes."""
    return str(key_of(_origin(settings), _key(settings)))


def checkpoint(clearance: Clearance) -> str:
    """The head of the trail as a signed note."""
    database = clearance.work.database
    return signed_checkpoint(database, clearance.settings, _head(database))


def signed_checkpoint(database: Database, settings: Settings, size: int) -> str:
    """The checkpoint of the first events, whose nodes are stored."""
    with database.reading() as connection:
        root = StoredTree(connection).root(size)
    return sign(Checkpoint(_origin(settings), size, root), _key(settings))


def prove_inclusion(clearance: Clearance, seq: int, size: int | None) -> dict[str, object]:
    """The proof that an event is in the tree of this size; of the newest, if no size is given."""
    database = clearance.work.database
    head = _head(database)
    size = _known(size, head, "size") if size is not None else head
    with database.reading() as connection:
        event = EventNotFound.require(queries.find_event(connection, seq))
        clearance.over(event.domain or ROOT, "audit:read", EventNotFound)
        if seq > size:
            raise _refused("size", f"The event is not in a tree of {size} events: ask for {seq} at least.")
        tree = StoredTree(connection)
        path, root = inclusion_path(seq - 1, size, tree.node), tree.root(size)
        leaf = tree.node(0, seq - 1)
    return {
        "seq": seq,
        "hash": event.hash,
        "leaf_index": seq - 1,
        "leaf_hash": encode_base64(leaf),
        "size": size,
        "root_hash": encode_base64(root),
        "inclusion_path": [encode_base64(node) for node in path],
    }


def prove_consistency(clearance: Clearance, first: int, second: int | None) -> dict[str, object]:
    """The proof that the first events of the second tree are those of the first."""
    database = clearance.work.database
    head = _head(database)
    second = _known(second, head, "to") if second is not None else head
    if _known(first, head, "from") > second:
        raise _refused(
            "from", f"The first tree may not be larger than the second, which has {second} events."
        )
    with database.reading() as connection:
        tree = StoredTree(connection)
        path = consistency_path(first, second, tree.node)
        roots = tree.root(first), tree.root(second)
    return {
        "from": first,
        "from_root_hash": encode_base64(roots[0]),
        "to": second,
        "to_root_hash": encode_base64(roots[1]),
        "consistency_path": [encode_base64(node) for node in path],
    }


def stored_head(database: Database) -> int:
    """The number of the newest event, after what waited in the outbox was linked."""
    drain_outbox(database)
    with database.reading() as connection:
        return newest_seq(connection)


def _head(database: Database) -> int:
    """The same, with its tree stored."""
    head = stored_head(database)
    if not extend_tree(database, head, BATCHES):
        raise TreeIncomplete(retry_after=RETRY_SECONDS)
    return head


def _known(size: int, head: int, name: str) -> int:
    if size > head:
        raise _refused(name, f"The trail has {head} events.")
    return size


def _refused(name: str, detail: str) -> Invalid:
    return Invalid(faults=(Fault(f"/{name}", "tree.size", detail),))


def _origin(settings: Settings) -> str:
    """The name of the log: the issuer without scheme. A name in a key may contain no plus sign."""
    issuer = settings.issuer_url.partition("://")[2].rstrip("/")
    return f"{issuer}/v1/audit".replace("+", "%2B")


def _key(settings: Settings) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(derived_key(settings.secret_key, "checkpoint"))
