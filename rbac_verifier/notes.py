"""Checkpoints of a log: signed notes (c2sp.org/signed-note, c2sp.org/tlog-checkpoint) with Ed25519.

    rbac.example/v1/audit
    1042
    Rz0zO9mjI0mvG8oY9Fe8Ur4LH1bQSPm+T6Pp0kzYzVA=

    — rbac.example/v1/audit 5f0c2a4eAbC…

The lines of the text are the origin, the number of events and the root of their tree.  A verification key is
written as ``name+key id+key``, with the key id in hexadecimal.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rbac_verifier.encodings import base64_bytes, encode_base64

MAX_NOTE_BYTES = 1 << 20
_ED25519 = b"\1"
_KEY = re.compile(r"([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_MARK = "\u2014 "


class BadNote(ValueError):
    """The text is not a checkpoint that this key signed, or the key is not one; the message says which."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key and the name of the log that it signs for."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The first four bytes of the hash of name, algorithm and key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{encode_base64(_ED25519 + self.public)}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The number of events of a log, and the root of the tree over their hashes."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"


def read_key(text: str) -> VerificationKey:
    """Read a verification key; ``BadNote`` if it is not one of Ed25519, or its id is not its own."""
    found = _KEY.fullmatch(text.strip())
    raw = _decoded(found[3]) if found else b""
    if found is None or raw[:1] != _ED25519 or len(raw) != 33:
        raise BadNote("the key is not a verification key of Ed25519, which is written name+id+key")
    key = VerificationKey(found[1], raw[1:])
    if key.id.hex() != found[2]:
        raise BadNote("the key was altered: its id does not fit it")
    return key


def key_of(name: str, private: Ed25519PrivateKey) -> VerificationKey:
    """Return the verification key of a private key."""
    return VerificationKey(name, private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def sign(checkpoint: Checkpoint, private: Ed25519PrivateKey) -> str:
    """Return the checkpoint as a signed note; the key has the name of its origin."""
    text = str(checkpoint)
    key = key_of(checkpoint.origin, private)
    return f"{text}\n{_MARK}{key.name} {encode_base64(key.id + private.sign(text.encode()))}\n"


def open_checkpoint(note: str, key: VerificationKey) -> Checkpoint:
    """Return the checkpoint of a note that the key signed; signatures of other keys are ignored."""
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or len(note) > MAX_NOTE_BYTES or not signatures.endswith("\n"):
        raise BadNote("the checkpoint is not a signed note")
    text += "\n"
    if not any(_is_signed(text, line, key) for line in signatures[:-1].split("\n")):
        raise BadNote("the checkpoint was not signed with the key, or was altered")
    origin, size, root, *_extensions = [*text.split("\n"), "", ""]
    raw = _decoded(root)
    if origin != key.name or not _SIZE.fullmatch(size) or len(raw) != 32:
        raise BadNote("the signed text is not a checkpoint of the log that the key is for")
    return Checkpoint(origin, int(size), raw)


def _is_signed(text: str, line: str, key: VerificationKey) -> bool:
    name, _, signature = line.removeprefix(_MARK).partition(" ")
    raw = _decoded(signature)
    if not line.startswith(_MARK) or name != key.name or raw[:4] != key.id:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(raw[4:], text.encode())
    except InvalidSignature:
        return False
    return True


def _decoded(text: str) -> bytes:
    """The bytes of Base64; none for any other text, and for a second spelling of the same bytes."""
    try:
        return base64_bytes(text)
    except ValueError:
        return b""
