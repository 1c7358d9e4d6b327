"""YAML is read strictly, and what is written is read as the same again."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rbac_api.formats.http_errors import Unreadable
from rbac_api.formats.strict_yaml import YamlRefused, parse_yaml, yaml_text
from rbac_api.web.requests.yaml_bodies import strict_yaml

REFUSED = {
    "a: &x 1\nb: *x": "anchors",
    "*x": "undefined alias|aliases",
    "a: 1\na: 2": "a key comes twice",
    "'a': 1\na: 2": "a key comes twice",
    "1: 2": "a key is not text",
    "[a]: 2": "a key is not text",
    "{[a]: 2}": "a key is not text",
    "~: 2": "a key is not text",
    "!!str a": "tags",
    "!x a": "tags",
    "a\n---\nb": "more than one document",
    "- " * 33 + "a": "nested deeper",
    "[" * 100_000: "nested deeper",
    "a: [": "line 2, column 1",
    "a: \x00": "not allowed|cannot be parsed|control",
}
MEANT = {
    "": None, "~": None, "null": None, "a:": {"a": None}, "true": True, "False": False, "yes": "yes", "on": "on", "7": 7, "-7": -7,
    "0o7": "0o7", "1_000": "1_000", "1:30": "1:30", "1.5": 1.5, "1e3": 1000.0, "'7'": "7", '"true"': "true", "|\n  7": "7",
    "2030-01-01T00:00:00Z": "2030-01-01T00:00:00Z", "2030-01-01": "2030-01-01", "<<: {a: 1}": {"<<": {"a": 1}}, "9" * 20: "9" * 20,
    "[1, [2, {a: 3}], {}]": [1, [2, {"a": 3}], {}],
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_ambiguous_or_grows_is_refused(text: str) -> None:
    with pytest.raises(YamlRefused, match=REFUSED[text]):
        parse_yaml(text)
    with pytest.raises(Unreadable):
        strict_yaml(text.encode())


@pytest.mark.parametrize("text", MEANT)
def test_what_is_meant_is_read(text: str) -> None:
    found = parse_yaml(text)

    assert (found, type(found)) == (MEANT[text], type(MEANT[text]))
    assert strict_yaml(text.encode()) == found


def test_a_body_is_utf_8() -> None:
    with pytest.raises(Unreadable, match="UTF-8"):
        strict_yaml(b"\xff")


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\t"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | TEXT | st.sampled_from([*MEANT]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read_as_the_same(value: object) -> None:
    assert parse_yaml(yaml_text(value)) == value


@given(st.dictionaries(st.sampled_from(["a", "b"]), st.lists(TEXT, max_size=3)))
def test_others_read_it_as_the_same_too(value: object) -> None:
    assert yaml.safe_load(yaml_text(value)) == value
