"""npm packages for the contract tests: never half there, never without a remedy, never with a registry's address."""

from pathlib import Path

import pytest

from tests.servers import node
from tests.servers.missing import ServerMissing

pytestmark = pytest.mark.outside


@pytest.mark.parametrize("said", [None, "v18.19.0", "v20.18.3"])
def test_without_a_usable_node_the_remedy_is_said(
    said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if said:
        (tmp_path / "node").write_text(f"#!/bin/sh\necho {said}\n")
        (tmp_path / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ServerMissing, match=rf"install Node\.js 20\.19 or newer.*Here: {said or 'none'}"):
        node.node_workshop(tmp_path / "workshop")


def test_without_npm_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "node").write_text("#!/bin/sh\necho v22.12.0\n")
    (tmp_path / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(node, "CACHE", tmp_path / "cache")

    with pytest.raises(ServerMissing, match=r"install Node\.js"):
        node.node_workshop(tmp_path / "workshop")

    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["lock"]


@pytest.mark.parametrize("folder", [node.HERE, node.HERE.parents[2] / "examples" / "node"])
def test_the_lock_pins_every_package_by_hash_and_names_no_address(folder: Path) -> None:
    lock = (folder / "package-lock.json").read_text()

    assert "resolved" not in lock
    assert lock.count('"integrity"') == lock.count('"node_modules/') > 0
