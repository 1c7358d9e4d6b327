"""Makes, normalises and compares the codes. Stores nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from urllib.parse import quote, urlencode, urlsplit

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

from rbac_api.sealing import derived_key

DIGITS, PERIOD = 6, 30  # what every authenticator app assumes (RFC 6238 section 4)
KEY_BYTES = 20  # RFC 4226 section 4, R6
RECOVERY_CODES, RECOVERY_CHARACTERS = 10, 16  # 80 random bits each
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"  # base32: no two characters look alike
_SEPARATORS = re.compile(r"[\s\u2010-\u2015-]+")


def new_key() -> bytes:
    """The secret that a device and this service will share."""
    return secrets.token_bytes(KEY_BYTES)


def as_base32(key: bytes) -> str:
    """A key in the form that people copy."""
    return base64.b32encode(key).decode()


def otpauth_uri(key: bytes, issuer_url: str, username: str) -> str:
    """The URI in the QR code (Key URI Format of Google Authenticator)."""
    issuer = urlsplit(issuer_url).hostname or issuer_url
    facts = {
        "secret": as_base32(key),
        "issuer": issuer,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": PERIOD,
    }
    return f"otpauth://totp/{quote(issuer, safe='')}:{quote(username, safe='')}?{urlencode(facts)}"


def qr_code(uri: str) -> str:
    """The URI as a QR code: a PNG in a ``data:`` URI, black on white on any background."""
    import segno  # imported here: a start need not wait for it

    png: str = segno.make_qr(uri).png_data_uri(scale=4)
    return png


def normalised(typed: str) -> str:
    """A code without the spaces and dashes that people type, in lower case."""
    return _SEPARATORS.sub("", typed).lower()


def is_totp(code: str) -> bool:
    """Whether it has the form of a time-based code; anything else can only be a recovery code."""
    return re.fullmatch(r"[0-9]{6}", code) is not None


def fitting_step(key: bytes, code: str, now: float) -> int | None:
    """The time step of this code, the present one or a neighbour; None for a wrong code.

    All three are compared, in constant time.
    """
    hotp, present = HOTP(key, DIGITS, SHA1()), int(now) // PERIOD  # noqa: S303 -- as HMAC
    near = (present - 1, present, present + 1)
    fitting = [step for step in near if hmac.compare_digest(hotp.generate(step), code.encode())]
    return max(fitting, default=None)


def new_recovery_codes() -> list[str]:
    """Ten different codes in groups of four: ``mzxw-6ytb-oi2d-k3tl``."""
    made: set[str] = set()
    while len(made) < RECOVERY_CODES:
        text = "".join(secrets.choice(_ALPHABET) for _ in range(RECOVERY_CHARACTERS))
        made.add("-".join(text[at : at + 4] for at in range(0, RECOVERY_CHARACTERS, 4)))
    return sorted(made)


def recovery_hash(secret: str, user_id: str, code: str) -> str:
    """The stored form of a recovery code: a keyed hash, different for each user."""
    key = derived_key(secret, "recovery-code")
    return hmac.new(key, f"{user_id}:{normalised(code)}".encode(), hashlib.sha256).hexdigest()
