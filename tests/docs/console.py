"""Runs the console blocks of a document: what follows a ``$`` is typed into one shell, what stands below must come out."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

MARK = "--- end of output ---"


@dataclass(frozen=True)
class Step:
    """One command and what the document says it prints; ``…`` stands for anything on its line."""

    command: str
    expected: str

    def fits(self, printed: str) -> bool:
        pattern = re.escape(self.expected.strip()).replace("…", ".*")
        return re.fullmatch(pattern, printed.strip()) is not None


def steps(document: Path) -> list[Step]:
    """Every command of every console block, in order."""
    return steps_in(document.read_text(encoding="utf-8"))


def steps_in(text: str) -> list[Step]:
    """The same for a part of a document."""
    found: list[Step] = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            found.append(Step(command, expected))
    return found


class Shell:
    """One bash that remembers variables and functions between commands."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder, env=environment,
        )  # fmt: skip

    def type(self, command: str) -> str:
        """What the command prints."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{command}\necho; echo '{MARK}'\n")
        self._process.stdin.flush()
        lines = []
        for line in self._process.stdout:
            if line.strip() == MARK:
                break
            lines.append(line)
        return "".join(lines)

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()


def play(document: Path, shell: Shell, places: dict[str, str]) -> list[str]:
    """Type every command of the document; those that print otherwise than it says, with both.

    ``places``: what stands in the document, and what it is here.
    """
    wrong = play_steps(steps(document), shell, places)
    shell.close()
    return wrong


def play_steps(found: list[Step], shell: Shell, places: dict[str, str]) -> list[str]:
    """The same for some commands; the shell stays open."""
    wrong = []
    for step in found:
        command, expected = step.command, step.expected
        for shown, real in places.items():
            command, expected = command.replace(shown, real), expected.replace(shown, real)
        printed = shell.type(command)
        if not Step(command, expected).fits(printed):
            wrong.append(f"$ {command}\nexpected:\n{expected}\nprinted:\n{printed}")
    return wrong
