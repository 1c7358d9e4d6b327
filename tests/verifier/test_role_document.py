"""The signed document that says what each role permits, and somebody on the line who forges, keeps and repeats it."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rbac_api import clock
from rbac_api.guard.tokens.signing import generate_pem, key_from_pem, sign
from rbac_verifier import fetch, revoked, roles
from tests.builders import Caller, Stage
from tests.cast import ALICE, DAVE
from tests.guard.forgery import Model, b64, written
from tests.verifier.conftest import BOUND, Field
from tests.verifier.deciding import APPROVE, READ, becomes, code, put

STRANGER = key_from_pem(generate_pem("EdDSA"), "EdDSA")


def document(stage: Stage) -> dict[str, Any]:
    """What the document says, verified as a stranger does: with the published keys."""
    answer = stage.caller().get(roles.PATH)
    assert (answer.status_code, answer.mimetype) == (200, "application/jose"), answer.data
    header = jwt.get_unverified_header(answer.text)
    keys = stage.caller().get("/.well-known/jwks.json").json["keys"]
    (jwk,) = [key for key in keys if key["kid"] == header["kid"]]
    assert (header["typ"], header["alg"]) == ("roles+jwt", jwk["alg"])
    known = {"issuer": stage.settings.issuer_url, "audience": stage.settings.audience}
    found: dict[str, Any] = jwt.decode(answer.text, jwt.PyJWK(jwk).key, algorithms=[jwk["alg"]], **known)
    return found


def test_the_document_says_what_each_role_permits(field: Field, alice: Caller) -> None:
    alice.post("/v1/roles", json={"name": "chief", "permissions": [APPROVE]})
    alice.put("/v1/roles/chief/inherits/clerk")

    found = document(field.stage)

    assert found.keys() == {"iss", "aud", "iat", "exp", "revision", "roles"}
    assert found["exp"] - found["iat"] == 24 * field.stage.settings.revocation_seconds
    assert (found["roles"]["clerk"], found["roles"]["chief"]) == ([READ], [APPROVE, READ])
    assert found["roles"]["admin"] == alice.get("/v1/me").json["permissions"]
    assert sorted(found["roles"]) == [role["name"] for role in alice.get("/v1/roles").json["items"]]


def test_what_is_inherited_through_a_role_with_a_second_factor_is_that_roles(
    field: Field, alice: Caller
) -> None:
    alice.post("/v1/roles", json={"name": "vault", "permissions": [APPROVE]})
    alice.patch_now("/v1/roles/vault", {"requires_mfa": True})
    alice.put("/v1/roles/clerk/inherits/vault")

    found, dave = document(field.stage)["roles"], field.stage.as_(DAVE)
    text = dave.tokens["access_token"]

    assert (found["clerk"], found["vault"]) == ([READ], [APPROVE])
    assert dave.get("/v1/me").json["permissions"] == [READ]
    verifier = field.verifier()
    assert (code(verifier, text), code(verifier, text, APPROVE)) == ("ok", "access.denied")


def test_nothing_new_is_304_and_a_change_or_some_time_is_another_tag(field: Field, alice: Caller) -> None:
    stage = field.stage
    now = (clock.epoch_seconds() // 60 + 1) * 60 + 1
    with time_machine.travel(now, tick=False):
        first = stage.caller().get(roles.PATH)
        again = stage.caller().get(roles.PATH, headers={"If-None-Match": first.headers["ETag"]})
        stage.as_(ALICE).put(f"/v1/roles/clerk/permissions/{APPROVE}")
        changed = stage.caller().get(roles.PATH, headers={"If-None-Match": first.headers["ETag"]})
    with time_machine.travel(now + 60, tick=False):
        later = stage.caller().get(roles.PATH, headers={"If-None-Match": changed.headers["ETag"]})

    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert {answer.headers["Cache-Control"] for answer in (first, again)} == {"public, max-age=5"}
    assert (changed.status_code, later.status_code) == (200, 200)
    assert len({first.headers["ETag"], changed.headers["ETag"], later.headers["ETag"]}) == 3


def test_the_feed_names_the_document_that_is_current(field: Field, alice: Caller) -> None:
    def named() -> object:
        text = field.stage.caller().get(revoked.PATH).text
        return jwt.decode(text, options={"verify_signature": False})["roles"]

    before = named()
    assert before == roles._digest(document(field.stage)["roles"])
    alice.post("/v1/auth/logout")
    assert named() == before
    field.stage.as_(ALICE).put(f"/v1/roles/clerk/permissions/{APPROVE}")
    assert named() == roles._digest(document(field.stage)["roles"]) != before


def test_who_accepts_gzip_gets_it(field: Field, alice: Caller) -> None:
    plain = field.stage.caller().get(roles.PATH)
    packed = field.stage.caller().get(roles.PATH, headers={"Accept-Encoding": "gzip"})
    assert (packed.headers["Content-Encoding"], gzip.decompress(packed.data)) == ("gzip", plain.data)
    assert packed.headers["ETag"] != plain.headers["ETag"]


Forge = Callable[[Field, Model], str]


def payload(model: Model, **members: Any) -> dict[str, Any]:
    return {**model.payload, **members}


ADMIN = {"clerk": [READ, APPROVE, "rbac:escalate"]}
DOCUMENTS: dict[str, Forge] = {
    "signed by a stranger": lambda f, m: sign(STRANGER, roles.TYPE, payload(m, roles=ADMIN)),
    "signed by a stranger under our name": lambda f, m: m.signed(
        payload=written(payload(m, roles=ADMIN)), key=Ed25519PrivateKey.generate()
    ),
    "not signed": lambda f, m: f"{b64(written({**m.header, 'alg': 'none'}))}.{m.parts[1]}.",
    "HMAC with the public key": lambda f, m: m.with_header(alg="HS256"),
    "of another algorithm": lambda f, m: m.with_header(alg="RS256"),
    "of another type": lambda f, m: m.with_header(typ="at+jwt"),
    "of no type": lambda f, m: m.with_header(typ="JWT"),
    "the feed": lambda f, m: f.stage.caller().get(revoked.PATH).text,
    "a token": lambda f, m: str(f.stage.as_(DAVE).tokens["access_token"]),
    "edited": lambda f, m: f"{m.parts[0]}.{b64(written(payload(m, roles=ADMIN)))}.{m.parts[2]}",
    "of another issuer": lambda f, m: m.with_claims(iss="https://other.example"),
    "for another audience": lambda f, m: m.with_claims(aud="other"),
    "for several audiences": lambda f, m: m.with_claims(aud=[m.payload["aud"], "other"]),
    "for nobody": lambda f, m: m.without("aud"),
    "expired": lambda f, m: m.with_claims(iat=m.payload["iat"] - 200, exp=m.payload["iat"] - 80),
    "without an end": lambda f, m: m.without("exp"),
    "from the future": lambda f, m: m.with_claims(iat=m.payload["iat"] + 3600),
    "without iat": lambda f, m: m.without("iat"),
    "with half a second": lambda f, m: m.with_claims(iat=m.payload["iat"] + 0.5),
    "without revision": lambda f, m: m.without("revision"),
    "with a revision of text": lambda f, m: m.with_claims(revision="9"),
    "with a revision that is true": lambda f, m: m.with_claims(revision=True),
    "with no roles": lambda f, m: m.without("roles"),
    "with a list of roles": lambda f, m: m.with_claims(roles=[]),
    "with text for permissions": lambda f, m: m.with_claims(roles={"clerk": READ}),
    "with a number for a permission": lambda f, m: m.with_claims(roles={"clerk": [7]}),
    "with a member twice": lambda f, m: m.signed(payload=written(m.payload)[:-1] + ',"roles":{}}'),
    "with NaN": lambda f, m: m.signed(payload=written(m.payload)[:-1] + ',"x":NaN}'),
    "a list": lambda f, m: m.signed(payload="[]"),
    "no JSON": lambda f, m: m.signed(payload="{"),
    "nested too deeply": lambda f, m: m.signed(payload='{"a":' * 50_000 + "1" + "}" * 50_000),
    "with a key of its own": lambda f, m: m.with_header(jwk=STRANGER.jwk),
    "spelled otherwise": lambda f, m: m.text + "=",
    "a page": lambda f, m: "<html>Please sign in to the network</html>",
    "not ASCII": lambda f, m: "\u00e9" * 50,
    "nothing": lambda f, m: "",
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_forged_document_gives_nobody_anything(field: Field, alice: Caller, name: str) -> None:
    verifier, (text, _) = field.verifier(), field.token(DAVE)
    assert (code(verifier, text), code(verifier, text, APPROVE)) == ("ok", "access.denied")
    key, known = field.stage.guard.keyring.active(), verifier._roles.known
    put(field, lambda body: DOCUMENTS[name](field, Model(body.decode(), key)).encode())
    alice.post("/v1/roles", json={"name": "other"})  # so that the document is read again
    verifier._feed.follow()

    with pytest.raises((fetch.Unreachable, revoked.Unverifiable)):
        verifier._roles.follow()

    assert verifier._roles.known == known
    assert code(verifier, text, APPROVE) == "access.denied"
    assert code(field.verifier(), text) == "service.unavailable"


def test_an_older_document_is_not_taken_however_often_it_is_repeated(field: Field, alice: Caller) -> None:
    alice.put(f"/v1/roles/clerk/permissions/{APPROVE}")
    verifier, (text, _) = field.verifier(), field.token(DAVE)
    assert code(verifier, text, APPROVE) == "ok"
    old = field.stage.caller().get(roles.PATH).data
    alice.delete(f"/v1/roles/clerk/permissions/{APPROVE}")
    assert becomes(verifier, text, "access.denied", APPROVE)
    put(field, lambda _body: old)
    alice.post("/v1/roles", json={"name": "other"})
    verifier._feed.follow()
    for _ in range(3):
        with pytest.raises(revoked.Unverifiable, match="older"):
            verifier._roles.follow()
    assert code(verifier, text, APPROVE) == "access.denied"
    with time_machine.travel(clock.epoch_seconds() + BOUND + 1, tick=True):
        assert becomes(verifier, text, "service.unavailable", READ)


def test_an_older_answer_of_the_feed_leaves_the_newer_digest(field: Field, alice: Caller) -> None:
    verifier, (text, _) = field.verifier(), field.token(DAVE)
    assert code(verifier, text) == "ok"
    known = verifier._feed.roles
    with time_machine.travel(clock.epoch_seconds() - 5, tick=True):
        alice.post("/v1/roles", json={"name": "other"})
        verifier._feed.follow()

    assert verifier._feed.roles == known


def test_who_begins_with_an_older_document_does_not_take_it_either(field: Field, alice: Caller) -> None:
    alice.put(f"/v1/roles/clerk/permissions/{APPROVE}")
    with time_machine.travel(clock.epoch_seconds() - 2, tick=True):
        old = field.stage.caller().get(roles.PATH).data
    alice.delete(f"/v1/roles/clerk/permissions/{APPROVE}")
    put(field, lambda _body: old)

    verifier, (text, _) = field.verifier(), field.token(DAVE)

    assert code(verifier, text, APPROVE) == "service.unavailable"


def test_a_backup_that_was_restored_is_believed_when_the_feed_says_so(field: Field, alice: Caller) -> None:
    """Its revisions begin again, and the feed, which is fresh and signed, names its document."""
    verifier, (text, _) = field.verifier(), field.token(DAVE)
    assert code(verifier, text) == "ok"
    key = field.stage.guard.keyring.active()
    put(field, lambda body: Model(body.decode(), key).with_claims(revision=1).encode())
    alice.put(f"/v1/roles/clerk/permissions/{APPROVE}")
    assert becomes(verifier, text, "ok", APPROVE)
    assert verifier._roles.known.revision == 1


def test_a_document_of_a_withdrawn_key_is_not_believed(field: Field, alice: Caller) -> None:
    verifier, (text, _) = field.verifier(), field.token(DAVE)
    assert code(verifier, text) == "ok"
    stolen = field.stage.guard.keyring.active()
    alice.post("/v1/keys/rotate", json={"emergency": True})
    field.stage.as_(ALICE).delete(f"/v1/keys/{stolen.kid}")
    fresh, _ = field.token(DAVE)
    assert becomes(verifier, fresh, "ok")
    put(field, lambda body: Model(body.decode(), stolen).with_header(kid=stolen.kid).encode())
    field.stage.as_(ALICE).put(f"/v1/roles/clerk/permissions/{APPROVE}")
    verifier._feed.follow()
    with pytest.raises(revoked.Unverifiable):
        verifier._roles.follow()
    assert code(verifier, fresh, APPROVE) == "access.denied"


def test_keys_rotate_and_the_document_is_signed_with_the_new_one(field: Field, alice: Caller) -> None:
    verifier, (text, _) = field.verifier(), field.token(DAVE)
    assert code(verifier, text) == "ok"
    before = jwt.get_unverified_header(field.stage.caller().get(roles.PATH).text)["kid"]
    alice.post("/v1/keys/rotate", json={"emergency": True})
    assert jwt.get_unverified_header(field.stage.caller().get(roles.PATH).text)["kid"] != before
    field.stage.as_(ALICE).put(f"/v1/roles/clerk/permissions/{APPROVE}")
    assert becomes(verifier, text, "ok", APPROVE)


def test_a_huge_document_is_given_up(field: Field, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "MAX_DOCUMENT_BYTES", 2_000)
    key, text = field.stage.guard.keyring.active(), field.token(DAVE)[0]
    many = {f"role-{number}": [READ] for number in range(100)}
    put(field, lambda body: Model(body.decode(), key).with_claims(roles=many).encode())
    assert code(field.verifier(), text) == "service.unavailable"


def test_a_service_of_an_earlier_version_blinds_who_decides_by_permission_only(
    field: Field, alice: Caller
) -> None:
    """Its feed names no document, and there is none."""
    key = field.stage.guard.keyring.active()

    def earlier(path: str, body: bytes) -> bytes:
        if path == revoked.PATH:
            return Model(body.decode(), key).without("roles").encode()
        return b"" if path == roles.PATH else body

    field.line.change = earlier
    verifier, (text, caller) = field.verifier(), field.token(DAVE)
    assert code(verifier, text) == "service.unavailable"
    assert verifier.identify(caller.headers, role="clerk").roles == {"clerk"}


def test_the_document_is_no_token_and_no_feed(field: Field, alice: Caller) -> None:
    text, caller = field.stage.caller().get(roles.PATH).text, field.stage.caller()
    caller.tokens = {"access_token": text, "refresh_token": text}
    assert caller.get("/v1/me").json["code"] == "token.invalid"
    refreshed = caller.post("/v1/auth/refresh", json={"refresh_token": text})
    assert (refreshed.status_code, refreshed.json["code"]) in (
        (401, "token.invalid"),
        (422, "request.invalid"),
    )
    assert code(field.verifier(), text) == "token.invalid"
    good, _ = field.token(DAVE)
    field.line.change = lambda path, body: text.encode() if path == revoked.PATH else body
    assert code(field.verifier(), good) == "service.unavailable"
