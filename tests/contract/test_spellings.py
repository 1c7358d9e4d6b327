"""Of what this service encodes it reads one spelling: another one of the same bytes is refused, wherever bytes are decoded."""

from __future__ import annotations

import ast
import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from rbac_api import sealing
from rbac_api.formats.oauth_errors import InvalidClient
from rbac_api.guard.enforcement.oauth_callers import _basic
from rbac_api.trail.personal import is_whole
from rbac_api.web.cursors import open_cursor, signed_cursor
from rbac_verifier import encodings, jws, notes
from rbac_verifier.events import personal_digest, withdraw

ROOT = Path(__file__).parents[2]
URL_SAFE, STANDARD, HEX = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "0123456789abcdef",
)
SECRET = "s" * 40
SALT, VALUE = bytes(range(171, 187)), "dave@example.com"


def other_spellings(text: str, alphabet: str) -> Iterator[str]:
    """Texts that a lenient decoder takes for the same bytes."""
    yield from (
        text + "=",
        text + "==",
        text + "\n",
        f" {text}",
        text[:4] + " " + text[4:],
        text[:4] + "!" + text[4:],
    )
    if alphabet == HEX:
        yield text.upper()
        return
    body = text.rstrip("=")
    padding = text[len(body) :]
    last = alphabet.index(body[-1])
    yield from (body[:-1] + alphabet[(last & ~3) | bits] + padding for bits in range(4) if (last & 3) != bits)
    yield from (body + more for more in ("", "=", "==", "===") if body + more != text)
    if swapped := {character for character in "-_+/" if character in body}:
        pairs = {"-": "+", "_": "/", "+": "-", "/": "_"}
        yield "".join(pairs[one] if one in swapped else one for one in text)


def accepts(read: Callable[[str], object], *refusals: type[Exception]) -> Callable[[str], bool]:
    def accepted(text: str) -> bool:
        try:
            return read(text) not in (None, False, b"")
        except refusals:
            return False

    return accepted


def opened(text: str) -> object:
    app = Flask(__name__)
    app.config["RBAC_CURSOR_KEY"] = b"k" * 32
    with app.app_context():
        return open_cursor(text, b"salt")


def cursor() -> str:
    """One whose signature ends in a character of which two bits do not count."""
    app = Flask(__name__)
    app.config["RBAC_CURSOR_KEY"] = b"k" * 32
    with app.app_context():
        return signed_cursor(["dave", 7], b"salt")


JWK = {
    "kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=").decode(), "alg": "EdDSA",
}  # fmt: skip


def key_of_jwk(x: str) -> object:
    members = {"crv": JWK["crv"], "kty": JWK["kty"], "x": x}
    return jws.read_key({**JWK, "x": x, "kid": jws._thumbprint(members)})


def withdrawn(salt: str) -> object:
    event: dict[str, Any] = {
        "mail": VALUE,
        "personal": {"/mail": {"digest": personal_digest(SALT, VALUE), "salt": salt}},
    }
    return withdraw(event)


def whole(salt: str) -> bool:
    digests = json.dumps({"/mail": personal_digest(SALT, VALUE)})
    return is_whole(digests, json.dumps({"/mail": [salt, VALUE]}))


def encoded(raw: bytes, *, url_safe: bool = False, padded: bool = True) -> str:
    text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(raw).decode()
    return text if padded else text.rstrip("=")


ODD = bytes([251, 255, 191, *range(20)])  # its encoding needs padding, and the characters that differ
READERS: dict[str, tuple[Callable[[str], bool], str, str]] = {
    "hexadecimal": (accepts(encodings.hex_bytes, ValueError), ODD.hex(), HEX),
    "base64": (accepts(encodings.base64_bytes, ValueError), encoded(ODD), STANDARD),
    "base64url": (
        accepts(encodings.base64url_bytes, ValueError),
        encoded(ODD, url_safe=True, padded=False),
        URL_SAFE,
    ),
    "a part of a token": (
        accepts(jws._bytes, jws.Unverifiable),
        encoded(ODD, url_safe=True, padded=False),
        URL_SAFE,
    ),
    "a public key": (accepts(key_of_jwk), JWK["x"], URL_SAFE),
    "the signature of a checkpoint": (accepts(notes._decoded), encoded(ODD), STANDARD),
    "the salt of a personal value in an export": (accepts(withdrawn, ValueError), SALT.hex(), HEX),
    "the salt of a personal value in the trail": (accepts(whole), SALT.hex(), HEX),
    "a sealed value": (
        accepts(lambda text: sealing.unseal(SECRET, "test", text), sealing.SealBroken),
        sealing.seal(SECRET, "test", b"12"),
        URL_SAFE,
    ),
    "the credentials of an OAuth client": (
        accepts(lambda text: text == text.strip(" ") and _basic(text), InvalidClient),
        encoded("client-1:ßecret".encode()),
        STANDARD,
    ),
    "a page's cursor": (accepts(opened), cursor(), URL_SAFE),
}

DECODERS = {
    "rbac_api/guard/enforcement/oauth_callers.py: b64decode",
    "rbac_api/guard/revocation/denylist.py: int",  # of a cursor whose form a pattern has checked; its digest is compared as text
    "rbac_api/cli/request_framing.py: int",  # the length of a chunk (RFC 9112), not ours
    "rbac_api/sealing.py: urlsafe_b64decode",
    "rbac_api/web/cursors.py: loads",
    "rbac_verifier/encodings.py: b64decode",
    "rbac_verifier/encodings.py: fromhex",
    "rbac_verifier/encodings.py: urlsafe_b64decode",
    "rbac_verifier/jws.py: PyJWK",  # after base64url_bytes
}
_DECODE = {
    "b64decode", "urlsafe_b64decode", "standard_b64decode", "b32decode", "b16decode", "a85decode", "b85decode",
    "decodebytes", "fromhex", "unhexlify", "a2b_hex", "a2b_base64", "PyJWK",
}  # fmt: skip


def decodes(call: ast.Call) -> str | None:
    name = ast.unparse(call.func).rpartition(".")[2]
    if name == "int" and len(call.args) == 2 and ast.unparse(call.args[1]) == "16":
        return name
    if name == "loads" and ast.unparse(call.func).split(".")[0] not in ("json", "orjson", "tomllib"):
        return name
    return name if name in _DECODE else None


def test_the_decoders_of_the_code_are_those_tested_here() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for package in ("rbac_api", "rbac_verifier")
        for path in (ROOT / package).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and (name := decodes(call))
    }

    assert found == DECODERS


@pytest.mark.parametrize("reader", READERS)
def test_a_second_spelling_is_refused(reader: str) -> None:
    accepted, text, alphabet = READERS[reader]
    assert accepted(text)

    assert [one for one in other_spellings(text, alphabet) if one != text and accepted(one)] == []
