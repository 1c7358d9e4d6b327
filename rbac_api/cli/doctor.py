"""``rbac-api doctor``: checks everything that a running service needs, and gives a remedy for each fault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import click

from rbac_api.capabilities.operation.diagnosis import Finding, diagnose
from rbac_api.cli.group import parts
from rbac_api.cli.output import json_option, print_json, shown
from rbac_api.cli.prepare import operator_unit
from rbac_api.settings import Settings, SettingsRefused


@click.command("doctor")
@json_option
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check settings, files, database, its server, proxies, schema, trail, clock, keys, roles, constraints
    and administrators.

    Each fault and each risk comes with its remedy.  Exit code 0 if there is no fault, 1 otherwise.
    """
    findings = []
    for finding in _findings():
        findings.append(finding)
        if not as_json:
            click.echo(_lines(finding))
    healthy = all(finding.ok for finding in findings)
    if as_json:
        print_json({"healthy": healthy, "checks": [asdict(finding) for finding in findings]})
    context.exit(0 if healthy else 1)


def _findings() -> Iterator[Finding]:
    try:
        settings, database = parts()
    except SettingsRefused as refusal:
        for fault in refusal.faults:
            yield Finding(
                "settings", False, fault, "Correct this setting (docs/settings.md lists all settings)."
            )
        return
    yield Finding("settings", True, _summary(settings))
    with operator_unit(settings, database, writes=False) as clearance:
        yield from diagnose(clearance)


def _summary(settings: Settings) -> str:
    database = "SQLite" if settings.on_sqlite else "PostgreSQL"
    return f"accepted; {database}, {settings.signing_algorithm}, server processes: {settings.worker_count}"


def _lines(finding: Finding) -> str:
    mark = "RISK " if finding.risk else "ok   " if finding.ok else "FAULT"
    line = f"{mark}  {finding.name:<16} {shown(finding.detail)}"
    return line if finding.remedy is None else f"{line}\n       {'Remedy:':<16} {shown(finding.remedy)}"
