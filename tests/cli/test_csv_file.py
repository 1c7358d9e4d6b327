"""CSV as real systems write it: read where that is unmistakable, otherwise refused with line, value and remedy, never a class name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.builders import Stage
from tests.cast import ALICE, DAVE
from tests.cli.conftest import Shell

PLAIN = "user,role,reason,expires_at\ndave,auditor,Für Jürgen – bis auf weiteres,2040-01-01T00:00:00Z\n"
SEMICOLONS = PLAIN.replace(",", ";")
TABS = PLAIN.replace(",", "\t")
READ: dict[str, bytes] = {
    "UTF-8": PLAIN.encode(),
    "UTF-8 with a mark": PLAIN.encode("utf-8-sig"),
    "UTF-16 as Excel saves Unicode text": TABS.encode("utf-16"),
    "UTF-16, the other order": b"\xfe\xff" + SEMICOLONS.encode("utf-16-be"),
    "UTF-16 without a mark": SEMICOLONS.encode("utf-16-le"),
    "UTF-16 without a mark, the other order": PLAIN.encode("utf-16-be"),
    "UTF-32": PLAIN.encode("utf-32"),
    "Windows-1252": SEMICOLONS.encode("cp1252"),
    "Latin-1": PLAIN.replace("–", "-").encode("latin-1"),
    "semicolons": SEMICOLONS.encode(),
    "tabs": TABS.encode(),
    "bars": PLAIN.replace(",", "|").encode(),
    "the line by which Excel tells the delimiter": f"sep=;\r\n{SEMICOLONS}".encode(),
    "line ends of Windows": PLAIN.replace("\n", "\r\n").encode(),
    "line ends of old": PLAIN.replace("\n", "\r").encode(),
    "headings in capitals": PLAIN.replace(
        "user,role,reason,expires_at", "User,ROLE,Reason,Expires at"
    ).encode(),
    "headings in quotes": PLAIN.replace("user,role", '"User", "Role"').encode(),
    "spaces around": PLAIN.replace("dave,auditor,", " dave , auditor,  ").encode(),
    "unbreakable spaces around": PLAIN.replace("dave,", "\u00a0dave\u00a0,").encode(),
    "a space before quotes": PLAIN.replace("dave,auditor,", 'dave, "auditor",').encode(),
    "empty rows": f"\n{PLAIN}\n,,,\n  ,,\n".encode(),
    "empty columns": "".join(f"{line},,\n" for line in PLAIN.splitlines()).encode(),
    "a space in a moment": PLAIN.replace("2040-01-01T00", "2040-01-01 00").encode(),
    "a mode in capitals": PLAIN.replace("reason", "mode")
    .replace("Für Jürgen – bis auf weiteres", "Active")
    .encode(),
    "a username in capitals": PLAIN.replace("dave,", "DAVE,").encode(),
    "an e-mail address": PLAIN.replace("dave,", "Dave.Smith@Example.COM,").encode(),
}


def written(folder: Path, content: bytes) -> str:
    path = folder / "people.csv"
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize("spelling", READ)
def test_what_is_unmistakable_is_read(stage: Stage, shell: Shell, tmp_path: Path, spelling: str) -> None:
    alice = stage.as_(ALICE)
    alice.patch_now(f"/v1/users/{stage.user_id(DAVE)}", {"email": "dave.smith@example.com"})

    done = shell("assignments", "import", written(tmp_path, READ[spelling]))

    assert done.stdout == "Imported: 1 assigned, 0 changed, 0 unchanged.\n", done.stderr
    (held,) = alice.get(f"/v1/users/{stage.user_id(DAVE)}/roles").json["direct"]
    assert (held["role"], held["expires_at"]) == ("auditor", "2040-01-01T00:00:00Z")
    assert held["reason"] in (None, "Für Jürgen – bis auf weiteres", "Für Jürgen - bis auf weiteres")
    assert (held["reason"] is None) == (spelling == "a mode in capitals")
    assert ("was read as Windows-1252" in done.stderr) == (spelling in ("Windows-1252", "Latin-1"))


REFUSED: dict[str, tuple[bytes, str]] = {
    "Polish Windows letters": (
        "user,role\nłukasz,auditor\n".encode("cp1250"), "line 2 is neither UTF-8 nor plainly Windows-1252: '³ukasz,auditor'"),
    "Cyrillic": (
        "user,role,reason\ndave,auditor,Привет\n".encode("cp1251"), "line 2 is neither UTF-8 nor plainly Windows-1252"),
    "a byte that Windows-1252 has not": (b"user,role\n\x81,auditor\n", "line 2 is not Windows-1252: '\\x81,auditor'"),
    "UTF-16 cut off": (PLAIN.encode("utf-16")[:-1], "is not UTF-16"),
    "quotes that do not match": (b'user,role\n"dave"x,admin\n', "line 2: the quotes do not match"),
    "quotes without an end": (b'user,role\n"dave,admin\n', "the quotes do not match"),
    "a cell without an end": (b"user,role\n" + b"d" * 140_000 + b",admin\n", "line 2: a cell is longer than 131072 characters"),
    "no heading": (
        b"dave,auditor\n", "the column 'auditor' is unknown. Begin the file with a line of column names, of user, role, domain, reason,"),
    "nothing": (b"", "line 1: the column user is missing"),
    "a heading twice": (b"User;role;USER\n", "a column comes twice"),
    "a heading that is unknown": (b"user,role,Colour\n", "the column 'Colour' is unknown"),
    "a user who is unknown": (b"user,role\neve,auditor\n", "line 2: user eve is unknown; create the user first, or correct the name"),
    "an address of none": (b"user,role\neve@x.example,auditor\n", "line 2: user eve@x.example is unknown"),
    "an address of two": (
        b"user,role\ntwins@example.com,auditor\n", "line 2: user twins@example.com is the e-mail address of bob, carol; write"),
    "a program": (b"user,role\nrobot,auditor\n", "line 2: user robot is a service account; give it roles with a policy document"),
    "a role that is none": (b"user,role\ndave,Head Brewer\n", "line 2: role: 'Head Brewer' is not a role name. Use a letter"),
    "a role in another spelling": (b"user,role\ndave,Auditor\n", "line 2: There is no role Auditor."),
    "a day without a time": (
        b"user;role;expires at\ndave;auditor;31.12.2040\n", "for instance 2026-11-22T17:00:00Z; it is '31.12.2040'"),
    "a mode that is none": (b"user,role,mode\ndave,auditor,Sometimes\n", "mode must be active or eligible; it is 'sometimes'"),
    "a duration in words": (
        b"user,role,mode,max_duration\ndave,auditor,eligible,4 h\n", "max_duration must be a whole number from 60 to 86400; it is '4 h'"),
    "a reason that is too long": (b"user,role,reason\ndave,auditor," + b"x" * 1001, "reason is longer than 1000 characters; it is 'xxx"),
    "a cell beyond": (b"user,role\ndave,auditor,beyond\n", "a cell beyond the last column is unknown; it is 'beyond'"),
    "a cell without a heading": (b"user,role,\ndave,auditor,beyond\n", "a cell without a heading is unknown; it is 'beyond'"),
    "the same user by name and by address": (
        b"user,role\ndave,auditor\ndave.smith@example.com,auditor\n", "line 3: dave with auditor comes a second time"),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_what_can_be_mistaken_is_refused_with_line_value_and_remedy(
    stage: Stage, shell: Shell, tmp_path: Path, fault: str
) -> None:
    alice, (content, words) = stage.as_(ALICE), REFUSED[fault]
    alice.post("/v1/service-accounts", json={"name": "robot"})
    for name, mail in (("dave", "dave.smith"), ("bob", "twins"), ("carol", "twins")):
        alice.patch_now(f"/v1/users/{name}", {"email": f"{mail}@example.com"})
    before = len(stage.events())

    told = shell.refusal("assignments", "import", written(tmp_path, content))

    assert words in told
    assert not re.search(r"[A-Z]\w+Error|Traceback|_csv", told)
    assert len(stage.events()) == before


def test_an_encoding_that_is_named_is_taken(stage: Stage, shell: Shell, tmp_path: Path) -> None:
    stage.as_(ALICE).post("/v1/users", json={"username": "łukasz"})
    file = written(tmp_path, "user;role\nłukasz;auditor\n".encode("cp1250"))

    assert "'cp-what' is not a known encoding" in shell.refusal(
        "assignments", "import", file, "--encoding", "cp-what"
    )
    assert "line 2 is not UTF-8" in shell.refusal("assignments", "import", file, "--encoding", "utf-8")
    done = shell("assignments", "import", file, "--encoding", "cp1250")
    assert (done.stdout, done.stderr) == ("Imported: 1 assigned, 0 changed, 0 unchanged.\n", "")


def test_a_username_that_is_an_address_goes_before_the_address_of_another(
    stage: Stage, shell: Shell, tmp_path: Path
) -> None:
    alice = stage.as_(ALICE)
    alice.patch_now(f"/v1/users/{stage.user_id(DAVE)}", {"email": "erin@example.com"})
    alice.post("/v1/users", json={"username": "erin@example.com"})

    shell("assignments", "import", written(tmp_path, b"user,role\nerin@example.com,auditor\n"))

    assert alice.get(f"/v1/users/{stage.user_id(DAVE)}/roles").json["direct"] == []
    assert [one["role"] for one in alice.get("/v1/users/erin@example.com/roles").json["direct"]] == [
        "auditor"
    ]


def test_a_file_that_is_not_there_is_named_in_words(shell: Shell, tmp_path: Path) -> None:
    missing = str(tmp_path / "none.csv")

    assert shell.refusal("assignments", "import", missing).endswith(
        "cannot be read: No such file or directory.\n"
    )
    for command in ("plan", "drift"):
        told = shell.refusal("policy", command, "-f", missing)
        assert told.endswith("cannot be read: No such file or directory\n")


def test_a_policy_file_is_read_in_any_unicode_and_refused_in_words_otherwise(
    shell: Shell, tmp_path: Path
) -> None:
    text = 'roles: [{name: tester, description: "Prüft"}]'
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert shell("policy", "plan", "-f", written(tmp_path, text.encode(encoding))).exit_code == 2

    told = shell.refusal("policy", "plan", "-f", written(tmp_path, text.encode("latin-1")))
    assert "cannot be read: line 1 is not UTF-8" in told
    assert "save it as UTF-8" in told
