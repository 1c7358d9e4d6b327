"""Sealing: only the same secret and purpose open it, and nothing else ever raises anything but SealBroken."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbac_api.sealing import SealBroken, derived_key, seal, unseal

SECRET, OTHER = "a" * 40, "b" * 40


@settings(max_examples=30)
@given(st.binary(max_size=200))
def test_what_was_sealed_comes_out_again(plain: bytes) -> None:
    assert unseal(SECRET, "test", seal(SECRET, "test", plain)) == plain


def test_the_same_text_is_never_sealed_the_same_way_twice() -> None:
    assert seal(SECRET, "test", b"x") != seal(SECRET, "test", b"x")


def test_each_purpose_has_a_key_of_its_own() -> None:
    assert len({derived_key(secret, purpose) for secret in (SECRET, OTHER) for purpose in ("a", "b")}) == 4
    assert len(derived_key(SECRET, "a")) == 32


@pytest.mark.parametrize(("secret", "purpose"), [(OTHER, "test"), (SECRET, "other")])
def test_another_secret_or_purpose_does_not_open_it(secret: str, purpose: str) -> None:
    with pytest.raises(SealBroken):
        unseal(secret, purpose, seal(SECRET, "test", b"x"))


def test_no_byte_of_it_can_be_altered() -> None:
    sealed = base64.urlsafe_b64decode(seal(SECRET, "test", b"four"))
    for position in range(len(sealed)):
        altered = bytes([*sealed[:position], sealed[position] ^ 1, *sealed[position + 1 :]])
        with pytest.raises(SealBroken):
            unseal(SECRET, "test", base64.urlsafe_b64encode(altered).decode())


@settings(max_examples=50)
@given(st.text(max_size=100))
def test_any_other_text_is_simply_not_sealed(text: str) -> None:
    with pytest.raises(SealBroken):
        unseal(SECRET, "test", text)
