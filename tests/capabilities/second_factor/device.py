"""An authenticator app, written after RFC 4226 and RFC 6238 and not after the service's own code."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from dataclasses import dataclass, field
from typing import Any

from rbac_api import clock
from tests.builders import Caller, Stage
from tests.cast import PASSWORD

PROOF = {"current_password": PASSWORD}


@dataclass
class Device:
    """Holds a secret and shows codes; ``slow`` is by how many seconds its clock is behind."""

    secret: str
    recovery_codes: list[str] = field(default_factory=list)
    slow: int = 0

    def code(self, steps: int = 0) -> str:
        """What it shows now, or so many steps later."""
        counter = (int(clock.epoch_seconds()) - self.slow) // 30 + steps
        digest = hmac.new(base64.b32decode(self.secret), struct.pack(">Q", counter), hashlib.sha1).digest()
        offset = digest[-1] & 15
        number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
        return f"{number % 1_000_000:06}"


def enrolled(caller: Caller) -> Device:
    """The device of somebody who has just set up her second factor; the present code is spent by that."""
    device = Device(caller.post("/v1/me/totp", json=PROOF).json["secret"])
    answer = caller.post("/v1/me/totp/confirm", json={"code": device.code()})
    assert answer.status_code == 200, answer.json
    device.recovery_codes = answer.json["recovery_codes"]
    return device


def sign_in(stage: Stage, person: Any, otp: str | None = None, password: str = PASSWORD, **more: Any) -> Any:
    """The answer to a sign-in."""
    body = {"username": getattr(person, "username", person), "password": password, **more}
    return stage.caller().post("/v1/auth/login", json=body if otp is None else {**body, "otp": otp})


def strongly(stage: Stage, person: Any, otp: str) -> Caller:
    """Somebody signed in with a second factor."""
    answer = sign_in(stage, person, otp)
    assert answer.status_code == 200, answer.json
    caller = stage.caller()
    caller.tokens = answer.json
    return caller
