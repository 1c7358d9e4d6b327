"""Plays histories of calls on a scene of delegated administration, and judges each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from tests.builders import Stage
from tests.cast import NEW_PASSWORD
from tests.guard.delegations import (
    NAMES,
    READS,
    SHAKES,
    Actor,
    Credential,
    Facts,
    World,
    above,
    calls,
    facts,
    sign_in,
    world,
)


def history(stage: Stage, seed: int, length: int) -> list[str]:
    """What was wrong in a history: nothing, or the first thing."""
    found, present = world(stage, seed), facts(stage)
    for step in range(length):
        # A step depends on no other, so that one more operation in the document changes few
        found.random = Random(f"{seed}, {step}")
        if found.credentials and found.random.random() < 0.12:
            wrong, present = open_account(found, present)
        else:
            wrong, present = act(found, present)
        if wrong:
            return [f"history {seed}: {one}" for one in wrong]
    return []


def act(world: World, before: Facts) -> tuple[list[str], Facts]:
    """Let a random actor make a random call."""
    actor = world.random.choice(world.actors)
    kinds = calls(world, actor, before)
    chosen = world.random.choice(SHAKES if before.accounts[actor.account].name == "alice" else tuple(kinds))
    method, path, body = kinds[chosen]()
    headers = {}
    if method in ("PATCH", "DELETE") and "/roles/" not in path and path.count("/") == 3:
        headers["If-Match"] = actor.caller.get(path).headers.get("ETag", '"none"')
    if path.startswith("/v1/policy/apply"):
        seen = actor.caller.get(path.replace("/apply", "").partition("&")[0])
        headers["If-Match"] = seen.headers.get("ETag", '"none"')
    options = {} if body is None else {"json": body}
    answer = actor.caller.call(method, path, headers=headers, **options)
    changes = answer.status_code < 300 and method != "GET"
    after = facts(world.stage) if changes else before
    wrong = [
        f"{actor} {method} {path} {body}: {one}" for one in judged(actor, answer, (path, body), before, after)
    ]
    if changes and answer.is_json:
        wrong += _noted(world, actor, (path, answer.json), before, after)
    _leave(world, after, answer.status_code == 401 and actor)
    return wrong, after


def judged(actor: Actor, answer: Any, request: Any, before: Facts, after: Facts) -> Iterator[str]:
    """Whom the call made stronger than its caller; and what the answer shows though its caller may not read it."""
    domains = {at for _, at in after.granted}
    for account in after.accounts.values() if after is not before else ():
        for at in domains:
            more = after.held(account.id, at) - before.held(account.id, at)
            if beyond := more - before.held(actor.account, at, actor.within):
                yield f"{account.name} has {sorted(beyond)} at {at}"
    events, rest = events_in(answer)
    for domain in {event["domain"] or "root" for event in events}:
        if "audit:read" not in before.held(actor.account, domain, actor.within):
            yield f"the answer has an event of {domain}"
    yield from named(actor, rest, json.dumps(request), before, after)


def named(actor: Actor, text: str, asked: str, before: Facts, after: Facts) -> Iterator[str]:
    """The accounts that a text names though the caller may not read them, and did not ask for them by this word."""
    names = {one.name: one for one in after.accounts.values()}
    for word in set(NAMES.findall(text)):
        account = names.get(word) or after.accounts.get(word)
        if (
            account is None
            or word in asked
            or account.id == actor.account
            or account.id not in before.accounts
        ):
            continue  # unknown, asked for by this word, oneself, or just made
        homes = {known.accounts.get(account.id, account).home for known in (before, after)}
        if "/v1/me/" in asked and before.accounts[actor.account].home in above(account.home):
            continue  # who gave oneself a role
        if not any(READS[account.kind] & before.held(actor.account, home, actor.within) for home in homes):
            yield f"the answer names {account.name} of {account.home}"


def events_in(answer: Any) -> tuple[list[dict[str, Any]], str]:
    """The events that an answer has, and its text without them: an event says who did what to whom, wherever they are at home, to those
    who may read what concerns its domain."""
    if not answer.is_json:
        return [], answer.text if answer.data else ""
    body = answer.json
    some = body.get("items", [body]) if isinstance(body, dict) else []
    events = [one for one in some if isinstance(one, dict) and "prev_hash" in one]
    return events, "" if events else answer.text


def _noted(world: World, actor: Actor, told: tuple[str, Any], before: Facts, after: Facts) -> list[str]:
    """Keep the credential that an answer has; it must not be one to an account that is stronger than the caller."""
    path, body = told
    secret = body.get("client_secret") or body.get("token") or body.get("password_setup", {}).get("token")
    if not secret:
        return []
    account = body["id"] if "password_setup" in body else path.split("/")[3]
    held = {at: after.held(account, at) for _, at in after.granted}
    world.credentials.append(Credential(actor, account, secret, held))
    return [
        f"{actor} opens {account}, which has {sorted(beyond)} at {at}"
        for at, has in held.items()
        if (beyond := has - before.held(actor.account, at, actor.within))
    ]


def open_account(world: World, before: Facts) -> tuple[list[str], Facts]:
    """Use a credential: it must not open an account that has got more since than the credential's issuer has."""
    used = world.credentials.pop(world.random.randrange(len(world.credentials)))
    caller = world.stage.caller()
    if used.secret.startswith("rbac-setup-"):
        body = {"token": used.secret, "new_password": NEW_PASSWORD}
        answer = caller.post("/v1/auth/password-setup", json=body)
    else:
        form = {"grant_type": "client_credentials", "client_id": used.account, "client_secret": used.secret}
        answer = caller.post("/oauth/token", data=form)
    if answer.status_code >= 300:
        return [], before
    if used.secret.startswith("rbac-setup-"):
        world.passwords[used.account] = NEW_PASSWORD
        sign_in(world, used.account, before.accounts[used.account].name)
    else:
        caller.tokens = answer.json
        world.actors.append(Actor(used.account, "root", caller))
    issuer = used.issuer
    return [
        f"{used.account} was opened by {issuer}, and has {sorted(beyond)} at {at}"
        for _, at in before.granted
        if (
            beyond := before.held(used.account, at)
            - used.held.get(at, frozenset())
            - before.held(issuer.account, at)
        )
    ], before


def _leave(world: World, after: Facts, refused: Any) -> None:
    """Drop the actors whose account or session is no more; who can sign in again does so."""
    for actor in [one for one in world.actors if one is refused or one.account not in after.accounts]:
        world.actors.remove(actor)
        if actor.account in after.accounts and actor.account in world.passwords:
            sign_in(world, actor.account, after.accounts[actor.account].name)
