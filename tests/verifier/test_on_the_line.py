"""Somebody on the line between the verifier and the service: forged feeds, forged keys, old answers."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rbac_api import clock
from rbac_api.guard.tokens.signing import generate_pem, key_from_pem, sign
from rbac_verifier import fetch, keys, revoked
from rbac_verifier.jws import read_key
from tests.cast import ALICE, DAVE
from tests.guard.forgery import Model, b64, unb64, written
from tests.patience import PATIENCE, eventually, quickest
from tests.verifier.conftest import BOUND, Field
from tests.verifier.test_verifier import becomes, code

STRANGER = key_from_pem(generate_pem("EdDSA"), "EdDSA")
Forge = Callable[[Field, Model], str]


def payload(model: Model, **members: Any) -> dict[str, Any]:
    return {**model.payload, **members}


FEEDS: dict[str, Forge] = {
    "signed by a stranger": lambda f, m: sign(STRANGER, revoked.TYPE, payload(m)),
    "signed by a stranger under our name": lambda f, m: m.signed(key=Ed25519PrivateKey.generate()),
    "not signed": lambda f, m: f"{b64(written({**m.header, 'alg': 'none'}))}.{m.parts[1]}.",
    "HMAC with the public key": lambda f, m: m.with_header(alg="HS256"),
    "of another type": lambda f, m: m.with_header(typ="at+jwt"),
    "a token": lambda f, m: str(f.stage.as_(DAVE).tokens["access_token"]),
    "edited": lambda f, m: f"{m.parts[0]}.{b64(written(payload(m, sids=['x'])))}.{m.parts[2]}",
    "of another issuer": lambda f, m: m.with_claims(iss="https://other.example"),
    "without iat": lambda f, m: m.without("iat"),
    "from the future": lambda f, m: m.with_claims(iat=m.payload["iat"] + 3600),
    "with half a second": lambda f, m: m.with_claims(iat=m.payload["iat"] + 0.5),
    "from long ago": lambda f, m: m.with_claims(iat=m.payload["iat"] - 3600),
    "an answer to another question": lambda f, m: m.with_claims(since=f"{9:016x}-{9:016x}"),
    "a delta that goes back": lambda f, m: m.with_claims(complete=False, cursor=f"{0:016x}-{0:016x}"),
    "with no cursor": lambda f, m: m.with_claims(cursor=None),
    "with another cursor": lambda f, m: m.with_claims(cursor="../../"),
    "with no more": lambda f, m: m.without("more"),
    "with lists of something": lambda f, m: m.with_claims(sids=[1]),
    "with no lists": lambda f, m: m.with_claims(jtis={}),
    "with users of something": lambda f, m: m.with_claims(users={"x": "2"}),
    "with no users": lambda f, m: m.with_claims(users=[]),
    "with a member twice": lambda f, m: m.signed(payload=written(m.payload)[:-1] + ',"sids":[]}'),
    "with NaN": lambda f, m: m.signed(payload=written(m.payload)[:-1] + ',"x":NaN}'),
    "a list": lambda f, m: m.signed(payload="[]"),
    "no JSON": lambda f, m: m.signed(payload="{"),
    "with a key of its own": lambda f, m: m.with_header(jwk=STRANGER.jwk),
    "with a kid that is no text": lambda f, m: m.with_header(kid=7),
    "spelled otherwise": lambda f, m: m.text + "=",
    "a page": lambda f, m: "<html>Please sign in to the network</html>",
    "not ASCII": lambda f, m: "\u00e9" * 50,
    "nothing": lambda f, m: "",
}


def put(field: Field, path: str, forge: Callable[[bytes], bytes]) -> None:
    field.line.change = lambda asked, body: forge(body) if asked == path else body


@pytest.mark.parametrize("name", FEEDS)
def test_a_forged_feed_blinds_and_revives_nobody(field: Field, engine: str, name: str) -> None:
    verifier, (gone, dave), (good, _) = field.verifier(), field.token(DAVE), field.token(ALICE)
    dave.post("/v1/auth/logout")
    assert (code(verifier, gone), code(verifier, good)) == ("token.revoked", "ok")
    key = field.stage.guard.keyring.active()
    put(field, revoked.PATH, lambda body: FEEDS[name](field, Model(body.decode(), key)).encode())
    known, as_of = verifier._feed.known, verifier._feed._as_of

    with pytest.raises((fetch.Unreachable, revoked.Unverifiable)):
        verifier._feed.follow()

    assert (verifier._feed.known.sids, verifier._feed._as_of) == (known.sids, as_of)
    assert code(verifier, gone) == "token.revoked"
    assert code(field.verifier(), good) == "service.unavailable"


def test_an_old_answer_played_again_and_again_blinds_in_the_end(field: Field) -> None:
    verifier, (text, dave) = field.verifier(), field.token(DAVE)
    recorded: list[bytes] = []
    put(field, revoked.PATH, lambda body: recorded.append(body) or recorded[0])  # type: ignore[func-returns-value]
    assert code(verifier, text) == "ok"
    dave.post("/v1/auth/logout")
    assert code(verifier, text) == "ok"
    with time_machine.travel(clock.epoch_seconds() + BOUND + 1, tick=True):
        assert becomes(verifier, text, "service.unavailable")
        assert code(field.verifier(), text) == "service.unavailable"


def test_a_feed_of_a_withdrawn_key_is_not_believed(field: Field) -> None:
    verifier, (text, alice) = field.verifier(), field.token(ALICE)
    assert code(verifier, text) == "ok"
    stolen = field.stage.guard.keyring.active()
    alice.post("/v1/keys/rotate", json={"emergency": True})
    field.stage.as_(ALICE).delete(f"/v1/keys/{stolen.kid}")
    assert becomes(verifier, text, "token.invalid")
    assert eventually(lambda: verifier._follow() or stolen.kid in verifier._feed.known.kids)
    jwks = json.dumps({"keys": [stolen.jwk]}).encode()
    field.line.change = lambda path, body: (
        jwks if path == keys.PATH else Model(body.decode(), stolen).with_header(kid=stolen.kid).encode()
    )
    verifier._keys.fetch()
    with pytest.raises(revoked.Unverifiable):
        verifier._feed.follow()
    assert code(verifier, text) == "token.invalid"


def test_a_key_withdrawn_since_it_was_fetched_is_refused_to_the_very_first_who_comes(field: Field) -> None:
    verifier, (text, alice) = field.verifier(), field.token(ALICE)
    verifier._start = lambda: None  # type: ignore[method-assign]  # so that the request itself hears of it
    verifier._keys.fetch()
    alice.post("/v1/keys/rotate", json={"emergency": True})
    field.stage.as_(ALICE).delete(f"/v1/keys/{Model(text, None).header['kid']}")
    assert [code(verifier, text) for _ in range(2)] == ["token.revoked", "token.invalid"]


JWK = STRANGER.jwk or {}
REFUSED_KEYS: dict[str, Any] = {
    "no object": "key",
    "symmetric": {"kty": "oct", "k": "AAAA", "alg": "HS256", "kid": "x"},
    "with its private part": {**JWK, "d": "AAAA"},
    "for encryption": {**JWK, "use": "enc"},
    "of another algorithm": {**JWK, "alg": "HS256"},
    "of an algorithm of another kind": {**JWK, "alg": "RS256"},
    "with no algorithm": {name: value for name, value in JWK.items() if name != "alg"},
    "under a name not its own": {**JWK, "kid": "A" * 43},
    "with no x": {name: value for name, value in JWK.items() if name != "x"},
    "with a number for x": {**JWK, "x": 7},
}


@pytest.mark.parametrize("name", REFUSED_KEYS)
def test_a_key_that_is_not_for_us_is_not_taken(name: str) -> None:
    assert read_key(REFUSED_KEYS[name]) is None


@pytest.mark.parametrize("length", [0, 3, 31, 33])
def test_a_key_of_another_size_is_not_taken_though_its_name_fits(length: int) -> None:
    from rbac_api.guard.tokens.signing import thumbprint

    jwk = {**JWK, "x": b64(b"x" * length)}
    assert read_key({**jwk, "kid": thumbprint(jwk)}) is None


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
def test_a_key_of_ours_is_taken(algorithm: str) -> None:
    jwk = key_from_pem(generate_pem(algorithm), algorithm).jwk
    found = read_key(jwk)
    assert found is not None
    assert jwk is not None
    assert (found.kid, found.algorithm) == (jwk["kid"], algorithm)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"keys": 7}', b"\xff", b"[" * 100_000, b"x" * (5 << 20)]
)
def test_what_is_no_set_of_keys_leaves_those_that_are_known(field: Field, body: bytes) -> None:
    verifier, (text, _) = field.verifier(), field.token(ALICE)
    assert code(verifier, text) == "ok"
    put(field, keys.PATH, lambda _: body)
    verifier._refresh_keys()
    assert code(verifier, text) == "ok"
    assert code(field.verifier(), text) == "service.unavailable"


def test_a_strangers_key_is_worth_nothing_without_a_token_it_signed(field: Field) -> None:
    """Whoever can put keys into the service's mouth can sign: it must be reached by https.  What she cannot do is to change algorithms."""
    (text, _), verifier = field.token(ALICE), field.verifier()
    put(
        field,
        keys.PATH,
        lambda body: json.dumps({"keys": [*json.loads(body)["keys"], STRANGER.jwk]}).encode(),
    )
    model = Model(text, STRANGER)
    assert code(verifier, text) == "ok"
    assert code(verifier, model.with_header(alg="RS256")) == "token.invalid"
    assert code(verifier, model.signed()) == "token.invalid"


def test_an_answer_that_drips_is_given_up(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    source = fetch.Source(field.address, timeout=PATIENCE)
    moments = iter([0.0, 1.0, PATIENCE, 1 + PATIENCE])
    monkeypatch.setattr(fetch, "monotonic", lambda: next(moments, 1 + PATIENCE))

    class Dripping:
        def read1(self, _size: int) -> bytes:
            return b"x"

    with pytest.raises(fetch.Unreachable):
        source._body(Dripping())  # type: ignore[arg-type]


def test_nobody_there_and_somebody_who_says_nothing_are_given_up_soon(field: Field) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        for address in (
            f"http://127.0.0.1:{mute.getsockname()[1]}",
            "http://127.0.0.1:1",
            "https://127.0.0.1:1",
        ):

            def look(address: str = address) -> None:
                with pytest.raises(fetch.Unreachable):
                    fetch.Source(address, timeout=0.3).get(keys.PATH)

            assert quickest(look, 1) < 1


def test_who_waits_for_somebody_who_waits_does_not_do_so_for_ever(field: Field) -> None:
    verifier, (text, _) = field.verifier(timeout=0.1), field.token(ALICE)
    with verifier._feed._following, verifier._keys._fetching:
        refused = []
        assert quickest(lambda: refused.append(code(verifier, text)), 1) < 1
    assert set(refused) == {"service.unavailable"}
    assert becomes(verifier, text, "ok")


def test_a_redirection_is_not_followed(field: Field) -> None:
    field.line.moved_to = f"{field.address}{keys.PATH}"
    with pytest.raises(fetch.Unreachable, match="answers 302"):
        fetch.Source(field.address, timeout=PATIENCE).get(keys.PATH)
    assert len(field.line.asked) == 1


def test_clocks_that_differ_a_little_are_forgiven(field: Field) -> None:
    text, _ = field.token(ALICE)
    with time_machine.travel(clock.epoch_seconds() + 2, tick=True):
        assert code(field.verifier(), text) == "ok"
    assert unb64(text.split(".")[1])


def test_a_clock_that_is_set_back_does_not_make_old_knowledge_young(field: Field) -> None:
    now = clock.epoch_seconds()
    with time_machine.travel(now - 300, tick=True):
        text, _ = field.token(ALICE)
    verifier = field.verifier(bound_seconds=1.0)
    assert code(verifier, text) == "ok"

    field.line.cut = True
    with time_machine.travel(now - 120, tick=True):
        assert becomes(verifier, text, "service.unavailable")


class Revalidating:
    """A cache (RFC 9111) that asks each time whether what it has is still good, and says the old again when told so."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._kept: dict[str, tuple[str, bytes]] = {}
        self.saved = 0

    def __call__(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        told: dict[str, Any] = {}
        key = environ["PATH_INFO"] + environ["QUERY_STRING"]
        tag, body = self._kept.get(key, ("", b""))
        asked = {**environ, "HTTP_IF_NONE_MATCH": tag} if tag else environ
        fresh = b"".join(self._app(asked, lambda status, headers, *_: told.update(s=status, h=dict(headers))))
        if told["s"].startswith("304"):
            self.saved += 1
        else:
            tag, body = self._kept[key] = told["h"].get("ETag", ""), fresh
        start("200 OK", [(name, value) for name, value in told["h"].items() if name != "Content-Length"])
        return [body]


def test_through_a_cache_that_is_told_that_nothing_is_new_it_goes_on_seeing(field: Field) -> None:
    cache = field.line._app = Revalidating(field.line._app)
    verifier, (text, _) = field.verifier(bound_seconds=15.0), field.token(ALICE)
    period = field.stage.settings.revocation_seconds
    now = (clock.epoch_seconds() // period + 1) * period  # its tag is another in every period
    for later in (0, 10, 20):
        with time_machine.travel(now + later, tick=True):
            for _ in range(3):  # all, what is new since then, and the same again
                verifier._follow()
            assert code(verifier, text) == "ok"
    assert cache.saved
