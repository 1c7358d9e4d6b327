"""A proxy that the settings do not count is noticed, once, and changes nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import OpenNode, Stage


def lines(stage: Stage, capfd: pytest.CaptureFixture[str], *requests: dict[str, str]) -> list[str]:
    capfd.readouterr()
    for headers in requests:
        assert stage.app.test_client().get("/healthz", headers=headers).status_code == 200
    return [line for line in capfd.readouterr().err.splitlines() if "proxy.unheard" in line]


@pytest.mark.parametrize(
    ("hops", "headers", "noticed"),
    [
        (0, {}, False),
        (0, {"X-Forwarded-For": "192.0.2.7"}, True),
        (0, {"X-Forwarded-Proto": "https"}, True),
        (0, {"X-Forwarded-Host": "rbac.example.com"}, True),
        (0, {"Forwarded": "for=192.0.2.7"}, True),
        (1, {"X-Forwarded-For": "192.0.2.7"}, False),
        (1, {"X-Forwarded-For": "192.0.2.7, 192.0.2.8"}, False),
        (2, {"X-Forwarded-For": "192.0.2.7"}, True),
    ],
)
def test_what_a_proxy_says_and_the_settings_do_not_expect_is_one_line_in_the_log(
    node: OpenNode, capfd: pytest.CaptureFixture[str], hops: int, headers: dict[str, Any], noticed: bool
) -> None:
    found = lines(node(proxy_hops=hops), capfd, {}, headers, headers, headers)

    assert len(found) == noticed
    assert all("RBAC_PROXY_HOPS" in line and '"address":"127.0.0.1"' in line for line in found)
