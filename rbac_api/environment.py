"""Declares settings and reads them from the environment and the files it names; no other module reads
``os.environ``.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

MINIMUM_SECRET_BYTES = 32
EXAMPLE_SECRETS = frozenset(
    {
        "changeme", "change-me", "secret", "super-secret", "dev", "development", "password", "insecure",
        "default", "test", "your-secret-key", "jwt-secret-string", "please-change-me",
        "replace-me-with-32-random-bytes-or-more", "this-is-an-example-secret-do-not-use-it",
        "0123456789abcdef0123456789abcdef", "your-256-bit-secret", "a-string-secret-at-least-256-bits-long",
        "change_me_to_a_complex_random_secret",
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        "replace-with-the-output-of-openssl-rand-base64-48",
    }
)  # fmt: skip

_EMPTY = "its secret_key is empty; put back the one that the database was made with"
_LOST = (
    "{} is missing beside the database that was made with it, and nothing was written. Without it no"
    " password, second factor or signing key of that database can be used. Put the file back "
    "from a backup, or"
    " give its content in RBAC_SECRET_KEY. If it is lost, move rbac.db, rbac.db-wal and "
    "rbac.db-shm away to"
    " begin with an empty database"
)


def secret_faults(text: str, *, generating: bool) -> list[str]:
    """Return what is wrong with an instance secret; with ``generating`` it may be absent."""
    if not text and not generating:
        return [
            (
                "RBAC_SECRET_KEY is missing: give at least 32 random bytes, in the variable or in "
                "RBAC_SECRET_KEY_FILE"
            )
        ]
    if text.strip().lower() in EXAMPLE_SECRETS:
        return [
            (
                "RBAC_SECRET_KEY is a secret from an example: make one of your own, for instance with "
                "`openssl rand -base64 48`"
            )
        ]
    if text and len(text.encode()) < MINIMUM_SECRET_BYTES:
        return ["RBAC_SECRET_KEY is too short: at least 32 bytes are needed"]
    if text and len(set(text)) < 8:
        return ["RBAC_SECRET_KEY repeats a few characters: make a random one"]
    return []


def setting(
    name: str, meaning: str, default: Any, *, shown: str | None = None, bounds: tuple[int, int] | None = None
) -> Any:
    """Return a dataclass field with its environment variable, meaning, bounds and documented default."""
    known = {
        "name": name,
        "meaning": meaning,
        "secret": False,
        "shown": shown or str(default),
        "bounds": bounds,
    }
    return field(default=default, metadata=known)


def secret(name: str, meaning: str, *, shown: str) -> Any:
    """Return a field for a text that may come from a file, and that ``repr`` (logs, tracebacks) hides."""
    known = {"name": name, "meaning": meaning, "secret": True, "shown": shown, "bounds": None}
    return field(default="", metadata=known, repr=False)


def present_environment() -> Mapping[str, str]:
    """Return the environment of this process."""
    return os.environ


def add(name: str, text: str) -> None:
    """Set a variable for this process and its child processes."""
    os.environ[name] = text


def leave_out(name: str) -> None:
    """Remove a variable that was read already, and that a library would read in another way."""
    os.environ.pop(name, None)


def read_value(
    source: Mapping[str, str], metadata: Mapping[str, Any], default: Any, problems: list[str]
) -> Any:
    """Return one setting's value from ``source``.

    Faults are added to ``problems``, and the default is returned.
    """
    name = metadata["name"]
    text = (
        _from_file(source, name, problems)
        if metadata["secret"] and source.get(f"{name}_FILE")
        else source.get(name)
    )
    if metadata["secret"] and text:
        # a line feed at the end comes from the file or the shell and is no part of the secret
        text = text.strip()
    if text is None or text == "":
        return default
    try:
        text.encode()
        return _convert(text, default)
    except UnicodeEncodeError:
        problems.append(f"{name} is not text in UTF-8")
        return default
    except ValueError as fault:
        problems.append(f"{name} {fault}")
        return default


def _from_file(source: Mapping[str, str], name: str, problems: list[str]) -> str | None:
    if source.get(name):
        problems.append(f"{name} and {name}_FILE are both set: keep one")
        return source[name]
    try:
        text = Path(source[f"{name}_FILE"]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        problems.append(f"{name}_FILE cannot be read: {type(fault).__name__}")
        return None
    if not text.strip():
        problems.append(f"{name}_FILE is empty")
    return text


def _convert(text: str, default: object) -> object:
    if default is None or isinstance(default, bool):
        return _switch(text)
    if isinstance(default, int):
        return _whole_number(text)
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


def _switch(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in ("on", "true", "yes", "1"):
        return True
    if lowered in ("off", "false", "no", "0"):
        return False
    raise ValueError("must be on or off")


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.strip().isdigit() and len(text) < 19):
        raise ValueError("must be a whole number")
    return int(text)


def kept_secret(folder: Path) -> str:
    """Return the secret in a data folder, made on the first run; ``ValueError`` says why there is none.

    Several processes may do this at once. The file appears whole or not at all, before anything is in the
    database, and all processes use it.
    """
    place = folder / "secret_key"
    if not place.exists() and _is_in_use(folder / "rbac.db") and not place.exists():
        raise ValueError(_LOST.format(place.absolute()))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not place.exists():
            write_secret(place)
        found, reason = place.read_text(encoding="ascii").strip(), _EMPTY
    except (OSError, UnicodeDecodeError) as fault:
        found, reason = "", getattr(fault, "strerror", None) or "its secret_key is not plain text"
    if not found:
        raise ValueError(reason)
    return found


def _is_in_use(database: Path) -> bool:
    """Return True if a database file has content; an interrupted first start leaves an empty file."""
    try:
        return database.stat().st_size > 0
    except OSError:
        return False


def write_secret(place: Path) -> None:
    """Write a new secret to a file, mode 0600.

    The file appears whole, or not at all if another process was first.
    """
    draft = place.with_name(f".{place.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
    try:
        os.link(draft, place)
    except FileExistsError:
        pass  # another process was first; its secret is used
    finally:
        draft.unlink()
