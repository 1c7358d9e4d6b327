"""Figures as markdown tables."""

from __future__ import annotations

from typing import Any

_PROTECTED = {
    "target": "request",
    "requests_per_second": "req/s",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "cpu_us": "CPU us/req",
    "throughput_share": "req/s, share of bare",
    "cpu_share": "CPU, share of bare",
}
_ROTATIONS = {
    "commits_per_second": "durable commits/s",
    "rotations_per_second": "rotations/s",
    "share": "share",
    "p50_ms": "rotation p50 ms",
    "cpu_us": "CPU us/rotation",
}
_LOGINS = {
    "raw_per_second": "raw bcrypt/s",
    "logins_per_second": "logins/s",
    "share": "share",
    "login_p50_ms": "login p50 ms",
    "login_p99_ms": "login p99 ms",
    "calm_p50_ms": "protected p50 ms, calm",
    "calm_p99_ms": "protected p99 ms, calm",
    "storm_p50_ms": "protected p50 ms, storm",
    "storm_p99_ms": "protected p99 ms, storm",
}
_DECISIONS = {
    "decider": "engine",
    "roles": "roles",
    "load_ms": "load ms",
    "p50_us": "p50 us",
    "p99_us": "p99 us",
    "times_ours": "times ours without cache",
    "growth": "times its own at the fewest roles",
}


def markdown(found: dict[str, Any]) -> str:
    """Return a table per measured part, for one engine."""
    parts = [f"### {found['engine']}"]
    parts += [_table(_PROTECTED, found["protected"])] if "protected" in found else []
    parts += [_table(_ROTATIONS, [found["rotations"]])] if "rotations" in found else []
    parts += [_table(_LOGINS, [found["logins"]])] if "logins" in found else []
    parts += [_table(_DECISIONS, found["decisions"])] if "decisions" in found else []
    return "\n\n".join(parts) + "\n"


def _table(columns: dict[str, str], rows: list[dict[str, Any]]) -> str:
    lines = [list(columns.values()), ["---"] * len(columns)]
    lines += [[_figure(name, row[name]) for name in columns] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _figure(name: str, value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.2f}" if value < 20 or "share" in name else f"{value:.0f}"
