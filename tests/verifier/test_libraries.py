"""Which libraries take tokens of which algorithm: the table of docs/verifier.md, each cell tried with the library as it comes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jwt as pyjwt
import pytest
from authlib.oauth2.rfc6750.errors import InvalidTokenError
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc import jwt as joserfc_jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from rbac_api.cli.prepare import prepare
from rbac_verifier.jws import read_key, verify
from tests.builders import Caller, OpenNode, Stage
from tests.cast import CAROL

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "verifier.md"
ALGORITHMS = ("EdDSA", "ES256", "RS256")
Reads = Callable[[Stage, dict[str, Any], str, str], Any]


def by_pyjwt(stage: Stage, jwks: dict[str, Any], token: str, algorithm: str) -> Any:
    key = pyjwt.PyJWKSet.from_dict(jwks)[pyjwt.get_unverified_header(token)["kid"]]
    issuer = stage.settings.issuer_url
    return pyjwt.decode(token, key, algorithms=[algorithm], audience="rbac-api", issuer=issuer)


def by_joserfc(_stage: Stage, jwks: dict[str, Any], token: str, _algorithm: str) -> Any:
    return joserfc_jwt.decode(token, KeySet.import_key_set(jwks)).claims


def by_joserfc_named(_stage: Stage, jwks: dict[str, Any], token: str, algorithm: str) -> Any:
    return joserfc_jwt.decode(token, KeySet.import_key_set(jwks), algorithms=[algorithm]).claims


def by_authlib(stage: Stage, jwks: dict[str, Any], token: str, _algorithm: str) -> Any:
    class Validator(JWTBearerTokenValidator):  # type: ignore[misc]
        def get_jwks(self) -> dict[str, Any]:
            return jwks

    validator = Validator(issuer=stage.settings.issuer_url, resource_server="rbac-api")
    found = validator.authenticate_token(token)
    validator.validate_token(found, [], None, roles=["auditor"])
    return found


def by_our_own(stage: Stage, jwks: dict[str, Any], token: str, _algorithm: str) -> Any:
    keys = {key.kid: key for key in map(read_key, jwks["keys"]) if key is not None}
    key = keys[pyjwt.get_unverified_header(token)["kid"]]
    return verify(token, key, issuer=stage.settings.issuer_url, audience="rbac-api")


LIBRARIES: dict[str, Reads] = {
    "`rbac_verifier`": by_our_own,
    "PyJWT": by_pyjwt,
    "joserfc, `decode(token, keys)`": by_joserfc,
    "joserfc, `decode(token, keys, algorithms=[…])`": by_joserfc_named,
    "Authlib, `JWTBearerTokenValidator` (RFC 9068)": by_authlib,
}


def table() -> dict[str, dict[str, str]]:
    """library → algorithm → what the document says."""
    rows = re.findall(
        r"^\| (.+?) \| (yes|no) \| (yes|no) \| (yes|no) \|$", DOCUMENT.read_text(encoding="utf-8"), re.M
    )
    return {name: dict(zip(ALGORITHMS, cells, strict=True)) for name, *cells in rows}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_library_takes_the_tokens_that_the_document_says(
    stage: Stage, node: OpenNode, algorithm: str
) -> None:
    own = node(signing_algorithm=algorithm)
    prepare(own.settings, own.database)
    carol: Caller = own.as_(CAROL)
    token, jwks = carol.tokens["access_token"], carol.get("/.well-known/jwks.json").json
    assert pyjwt.get_unverified_header(token)["alg"] == algorithm
    found = {}
    for name, read in LIBRARIES.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a deprecated name (RFC 9864)
            try:
                found[name] = (
                    "yes" if read(own, jwks, token, algorithm)["sub"] == own.user_id(CAROL) else "no"
                )
            except (JoseError, InvalidTokenError, ValueError):
                found[name] = "no"
    assert found == {name: cells[algorithm] for name, cells in table().items()}


def test_the_document_names_what_was_tried() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert table().keys() == LIBRARIES.keys()
    for package in ("PyJWT", "joserfc", "Authlib"):
        assert f"{package} {version(package)}" in text


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_forged_token_is_taken_by_none(stage: Stage, node: OpenNode, algorithm: str) -> None:
    own = node(signing_algorithm=algorithm)
    prepare(own.settings, own.database)
    carol: Caller = own.as_(CAROL)
    jwks = carol.get("/.well-known/jwks.json").json
    head, body, signature = carol.tokens["access_token"].split(".")
    forged = f"{head}.{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
    for read in LIBRARIES.values():
        with warnings.catch_warnings(), pytest.raises(Exception, match=r"."):
            warnings.simplefilter("ignore")
            read(own, jwks, forged, algorithm)
