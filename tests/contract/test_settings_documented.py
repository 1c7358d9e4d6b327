"""docs/settings.md lists every setting as the code has it: name, default, bounds, meaning, and whether it is a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from rbac_api.environment import EXAMPLE_SECRETS
from rbac_api.settings import Settings, SettingsRefused

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "settings.md"
# Outside programs rely on these.
PROMISED = {
    "HOST": "127.0.0.1", "PORT": "8000", "RBAC_DATA_DIR": "instance", "RBAC_AUDIENCE": "rbac-api", "RBAC_SIGNING_ALGORITHM": "EdDSA",
    "RBAC_THREADS": "8", "RBAC_ACCESS_TOKEN_SECONDS": "900", "RBAC_REFRESH_TOKEN_SECONDS": "3600", "RBAC_SESSION_SECONDS": "43200",
    "RBAC_REFRESH_LEEWAY_SECONDS": "10", "RBAC_PASSWORD_COST": "12", "RBAC_SIGNIN_LIMIT": "30 per minute", "RBAC_ADMIN_USERNAME": "admin",
    "RBAC_PROXY_HOPS": "0", "RBAC_CORS_ORIGINS": "none", "RBAC_DOCS": "on", "RBAC_REDIS_URL": "none",
}  # fmt: skip
SECRETS = {
    "RBAC_DATABASE_URL",
    "RBAC_REDIS_URL",
    "RBAC_CHECKPOINT_URL",
    "RBAC_SECRET_KEY",
    "RBAC_SIGNING_KEY",
    "RBAC_ADMIN_PASSWORD",
}


def row(known: Mapping[str, Any]) -> str:
    """A setting's line in the table."""
    bounds = f"{known['bounds'][0]} to {known['bounds'][1]}" if known["bounds"] else ""
    secret = f". **Secret**: also as `{known['name']}_FILE`" if known["secret"] else ""
    return f"| `{known['name']}` | {known['shown']} | {bounds} | {known['meaning']}{secret} |"


def test_every_setting_is_documented_as_it_is() -> None:
    documented = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]

    assert documented == [row(field.metadata) for field in fields(Settings)], (
        "copy these rows into docs/settings.md"
    )


def test_what_the_contract_promises_is_so() -> None:
    shown = {field.metadata["name"]: field.metadata["shown"] for field in fields(Settings)}

    assert {name: shown[name] for name in PROMISED} == PROMISED
    assert {field.metadata["name"] for field in fields(Settings) if field.metadata["secret"]} == SECRETS


def test_a_switch_is_shown_as_it_is() -> None:
    (known,) = [field for field in fields(Settings) if field.name == "docs"]

    assert known.metadata["shown"] == ("on" if known.default else "off")


@pytest.mark.parametrize(
    "page", sorted({*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")}), ids=lambda page: page.name
)
def test_no_secret_that_a_page_shows_can_be_used(page: Path) -> None:
    shown = re.findall(r"RBAC_SECRET_KEY=[\"']?([^\s\"'`$<…]+)", page.read_text())

    for secret in {*shown, *EXAMPLE_SECRETS}:
        with pytest.raises(SettingsRefused, match="RBAC_SECRET_KEY"):
            Settings.from_environment({"RBAC_SECRET_KEY": secret})
