"""Log lines go where standard error is when they are written, not where it was when the application was made."""

from __future__ import annotations

import io
import json
import sys

import pytest

from rbac_api.observability.logs import configure_logs, log


def test_a_line_goes_to_the_standard_error_of_its_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier, later = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stderr", earlier)
    configure_logs("warning")
    monkeypatch.setattr(sys, "stderr", later)
    earlier.close()

    log.warning("request.refused", code="request.unreadable")

    [line] = later.buffer.getvalue().splitlines()  # type: ignore[attr-defined]
    assert json.loads(line)["code"] == "request.unreadable"
