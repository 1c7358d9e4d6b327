"""``rbac-verify-audit``: verifies an export of the audit trail against a checkpoint and a public key.

It needs neither the service nor a database.  ``rbac-api audit verify --file`` says the same where the service
is installed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rbac_verifier.events import Unreadable, Verdict, verify_export
from rbac_verifier.notes import BadNote, Checkpoint, open_checkpoint, read_key


def read_checkpoint(file: str, key: str) -> Checkpoint:
    """Read a checkpoint; ``key`` is a verification key, or the path of a file with one.

    ``BadNote`` if it is not signed with the key; ``OSError`` for a file that cannot be read.
    """
    text = key if "+" in key or not key.strip() else _text(key)  # an empty variable is no file
    return open_checkpoint(_text(file), read_key(text))


def describe(verdict: Verdict, first: int, checkpoint: Checkpoint | None) -> str:
    """Return the result in sentences; ``first`` is the number of the first event that was verified."""
    last = f"{verdict.seq}:{verdict.hash}"
    if verdict.problem:
        return f"BROKEN at event {verdict.broken_seq}: {verdict.problem}.\nLast good event: {last}"
    lines = [
        f"Intact: {verdict.checked} events, each with a valid hash and linked to the previous one.",
        f"Last event: {last}",
    ]
    if first > 1:
        lines.append(
            f"The first is event {first}: what was before it is not in the file and was not verified."
        )
    if checkpoint is not None:
        lines.append(
            f"The first {checkpoint.size} events are those of the checkpoint of {checkpoint.origin}."
        )
        if later := verdict.seq - checkpoint.size:
            lines.append(
                f"It does not cover the last {later}: nothing but the chain says that none is missing."
            )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 if the export is intact, 1 if not, 2 if it cannot be verified."""
    parser = argparse.ArgumentParser(
        prog="rbac-verify-audit", description="Verify an export of the audit trail."
    )
    parser.add_argument("--file", required=True, help="an export in NDJSON, of all events")
    parser.add_argument("--checkpoint", required=True, help="the file of a checkpoint")
    parser.add_argument("--key", required=True, help="the verification key, or a file with it")
    given = parser.parse_args(arguments)
    try:
        checkpoint = read_checkpoint(given.checkpoint, given.key)
        with Path(given.file).open("rb") as lines:
            first, verdict = verify_export(lines, checkpoint=checkpoint)
    except BadNote as fault:
        return _say(f"BROKEN: {fault}.", 1)
    except Unreadable as fault:
        return _say(f"BROKEN: {fault}.", 1)
    except (OSError, UnicodeDecodeError) as fault:
        return _say(f"{given.file}, {given.checkpoint} or the key cannot be read: {fault}", 2)
    return _say(describe(verdict, first, checkpoint), 1 if verdict.problem else 0)


def _text(file: str) -> str:
    return Path(file).read_text(encoding="utf-8")


def _say(text: str, code: int) -> int:
    print(text, file=sys.stderr if code == 2 else sys.stdout)
    return code
