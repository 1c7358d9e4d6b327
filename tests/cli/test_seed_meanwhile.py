"""While `rbac-api seed` brings hundreds of people in, others sign in: it holds the write lock for a moment at a time."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from tests.builders import OpenNode, Stage
from tests.cast import DAVE, PASSWORD
from tests.cli.conftest import Shell

PEOPLE = [f"person-{number}" for number in range(600)]
COMPANY = {
    "users": [{"username": name} for name in PEOPLE],
    "assignments": [{"user": name, "role": "auditor"} for name in PEOPLE],
}


def test_sign_ins_are_answered_while_a_seed_goes_on(stage: Stage, node: OpenNode, tmp_path: Path) -> None:
    shell, client = Shell(node().app), node().app.test_client()
    file, output = tmp_path / "company.yaml", list[str]()
    file.write_text(json.dumps(COMPANY))
    credentials: dict[str, Any] = {"username": DAVE.username, "password": PASSWORD}
    seeding = threading.Thread(target=lambda: output.append(shell("seed", str(file)).output))
    answers = []

    seeding.start()
    while seeding.is_alive():
        answers.append(client.post("/v1/auth/login", json=credentials).status_code)
        time.sleep(0.05)

    assert f"{len(PEOPLE)} people and {len(PEOPLE)} assignments" in output[0]
    assert set(answers) == {200}
    assert len(answers) > 2, "one alone may have waited for the whole of the seed"
