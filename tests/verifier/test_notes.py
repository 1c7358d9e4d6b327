"""Checkpoints are signed notes of C2SP: a note and keys of others are read, and no altered one is."""

from __future__ import annotations

import random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rbac_verifier.encodings import encode_base64
from rbac_verifier.notes import (
    BadNote,
    Checkpoint,
    _is_signed,
    key_of,
    open_checkpoint,
    read_key,
    sign,
)

# The example of Go's module database, from whose notes the specification comes.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNED = "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CHECKPOINT = Checkpoint("rbac.example/v1/audit", 1042, bytes(range(32)))
NOTE = sign(CHECKPOINT, PRIVATE)
KEY = key_of(CHECKPOINT.origin, PRIVATE)


def test_a_key_and_a_signature_of_others_are_read() -> None:
    assert str(read_key(PETER)) == PETER
    assert _is_signed(TEXT, SIGNED, read_key(PETER))
    assert not _is_signed(TEXT + "\n", SIGNED, read_key(PETER))
    with pytest.raises(BadNote, match="not a checkpoint"):
        open_checkpoint(f"{TEXT}\n{SIGNED}\n", read_key(PETER))


def test_a_note_is_written_as_the_specification_says() -> None:
    text, signature = NOTE.split("\n\n")
    assert text == f"rbac.example/v1/audit\n1042\n{encode_base64(bytes(range(32)))}"
    assert signature.startswith("\u2014 rbac.example/v1/audit ")
    assert open_checkpoint(NOTE, read_key(f" {KEY}\n")) == CHECKPOINT


def test_other_signatures_and_extensions_are_ignored() -> None:
    assert open_checkpoint(NOTE + SIGNED + "\n", KEY) == CHECKPOINT
    text = f"{CHECKPOINT}an extension\n"
    raw = encode_base64(KEY.id + PRIVATE.sign(text.encode()))
    assert open_checkpoint(f"{text}\n\u2014 {KEY.name} {raw}\n", KEY) == CHECKPOINT


def test_a_changed_character_anywhere_is_refused() -> None:
    dice = random.Random(3)
    for place in range(len(NOTE)):
        other = chr(ord(NOTE[place]) ^ (1 << dice.randrange(6)))
        with pytest.raises(BadNote):
            open_checkpoint(NOTE[:place] + other + NOTE[place + 1 :], KEY)


@pytest.mark.parametrize(
    "note",
    [
        "", "\n\n", NOTE[:-1], NOTE.replace("\n\n", "\n"), NOTE.replace("\n", "\r\n"), NOTE + "\n", "x" * (2 << 20),
        NOTE.replace("\u2014", "-"), NOTE.partition("\n\n")[0] + "\n\n", "\ufeff" + NOTE,
    ],
)  # fmt: skip
def test_a_text_that_is_no_signed_note_is_refused(note: str) -> None:
    with pytest.raises(BadNote):
        open_checkpoint(note, KEY)


@pytest.mark.parametrize(
    "text",
    ["other\n1\nAAAA\n",
     f"{KEY.name}\n01\n{encode_base64(bytes(32))}\n", f"{KEY.name}\n1\n{encode_base64(bytes(31))}\n", f"{KEY.name}\n", "\n",
     f"{KEY.name}\n-1\n{encode_base64(bytes(32))}\n", f"{KEY.name}\n{'9' * 20}\n{encode_base64(bytes(32))}\n"],
)  # fmt: skip
def test_a_signed_text_that_is_no_checkpoint_of_the_log_is_refused(text: str) -> None:
    raw = encode_base64(KEY.id + PRIVATE.sign(text.encode()))
    with pytest.raises(BadNote, match="not a checkpoint of the log"):
        open_checkpoint(f"{text}\n\u2014 {KEY.name} {raw}\n", KEY)


def test_a_note_of_another_key_or_name_is_refused() -> None:
    for other in (
        key_of(KEY.name, Ed25519PrivateKey.generate()),
        key_of("other.example/v1/audit", PRIVATE),
    ):
        with pytest.raises(BadNote, match="not signed with the key"):
            open_checkpoint(NOTE, other)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not a verification key"), ("x", "not a verification key"), (PETER[:-1], "not a verification key"),
        (PETER.replace("+AR", "+BR"), "not a verification key"), (PETER[:-1] + "X", "does not fit"),
        (PETER.replace("c74f20a3", "c74f20a4"), "does not fit"), (PETER.replace("Peter", "peter"), "does not fit"),
        (f"PRIVATE+KEY+{PETER}", "not a verification key"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_key_is_refused(text: str, problem: str) -> None:
    with pytest.raises(BadNote, match=problem):
        read_key(text)
