"""The codes themselves: as the RFC computes them, as people type them."""

import base64
import struct
import zlib
from urllib.parse import parse_qs, urlsplit

import pytest
import segno

from rbac_api.capabilities.second_factor import codes

KEY = b"12345678901234567890"  # RFC 6238, appendix B; its codes there have eight digits
VECTORS = {
    59: "287082",
    1111111109: "081804",
    1111111111: "050471",
    1234567890: "005924",
    2000000000: "279037",
}


@pytest.mark.parametrize(("moment", "code"), VECTORS.items())
def test_the_codes_are_those_of_the_rfc(moment: int, code: str) -> None:
    assert codes.fitting_step(KEY, code, moment) == moment // 30


@pytest.mark.parametrize(("skew", "fits"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_clock_may_be_one_step_off_and_no_more(skew: int, fits: bool) -> None:
    assert (codes.fitting_step(KEY, "050471", 1111111111 + skew) is not None) is fits


@pytest.mark.parametrize(
    "typed", ["050471", " 050 471 ", "050-471", "050\u2009471", "050\u2011471", "0 5 0 4 7 1"]
)
def test_spaces_and_dashes_do_not_matter(typed: str) -> None:
    assert codes.normalised(typed) == "050471"


@pytest.mark.parametrize(
    "typed", ["05047", "0504711", "٠٥٠٤٧١", "０５０４７１", "05047x", "", "\n", "+50471"]
)
def test_what_is_not_six_ascii_digits_is_no_code_of_a_device(typed: str) -> None:
    assert not codes.is_totp(codes.normalised(typed))


def test_recovery_codes_are_ten_and_different_and_read_in_any_case() -> None:
    made = codes.new_recovery_codes()

    assert len(set(made)) == 10
    assert {len(codes.normalised(code)) for code in made} == {16}
    hashed = codes.recovery_hash("secret", "hers", made[0])
    assert hashed == codes.recovery_hash("secret", "hers", made[0].upper().replace("-", " "))
    assert hashed != codes.recovery_hash("secret", "his", made[0])
    assert made[0] not in hashed


def test_ten_means_ten_even_if_chance_repeats_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = iter("a" * 32 + "".join(letter * 16 for letter in "bcdefghij"))
    monkeypatch.setattr(codes.secrets, "choice", lambda _: next(letters))

    assert len(set(codes.new_recovery_codes())) == 10


@pytest.mark.parametrize("issuer", ["https://rbac.example.com/base", "rbac.example.com"])
def test_the_address_for_a_qr_code_says_who_where_and_how(issuer: str) -> None:
    parts = urlsplit(codes.otpauth_uri(KEY, issuer, "zoë/ß"))

    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path == "/rbac.example.com:zo%C3%AB%2F%C3%9F"
    assert parse_qs(parts.query) == {
        "secret": [base64.b32encode(KEY).decode()], "issuer": ["rbac.example.com"], "algorithm": ["SHA1"], "digits": ["6"],
        "period": ["30"],
    }  # fmt: skip


def modules(png: bytes) -> list[list[int]]:
    """The squares of a QR code, read from its picture (RFC 2083): one bit a pixel, four pixels a square, four squares of margin."""
    chunks, at = {}, 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        chunks[kind] = png[at + 8 : at + 8 + length]
        at += length + 12
    width, height, depth = struct.unpack(">IIB", chunks[b"IHDR"][:9])
    assert (png[:8], width, depth) == (b"\x89PNG\r\n\x1a\n", height, 1)
    size, data = (width + 7) // 8 + 1, zlib.decompress(chunks[b"IDAT"])
    rows = [bytes(size - 1)]
    for start in range(0, len(data), size):
        add = rows[-1] if data[start] == 2 else bytes(size - 1)  # filter "up", or none
        rows.append(bytes((a + b) % 256 for a, b in zip(data[start + 1 : start + size], add, strict=True)))
    places = range(4 * 4 + 2, width - 4 * 4, 4)
    return [[1 - (rows[y + 1][x // 8] >> (7 - x % 8) & 1) for x in places] for y in places]


@pytest.mark.parametrize("username", ["dave", "zoë/ß", "x" * 128])
def test_the_qr_code_says_the_address(username: str) -> None:
    uri = codes.otpauth_uri(KEY, "https://rbac.example.com", username)
    kind, _, picture = codes.qr_code(uri).partition(",")

    found = modules(base64.b64decode(picture))

    assert kind == "data:image/png;base64"
    assert found == [[int(square) for square in row] for row in segno.make_qr(uri).matrix]
    assert found != [[int(square) for square in row] for row in segno.make_qr(f"{uri}0").matrix]
