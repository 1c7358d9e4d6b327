"""The alerts and the dashboard ask for metrics, labels and values that a running node has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.cast import PASSWORD
from tests.servers.places import server_folder
from tests.servers.service import SETTINGS, Service

pytestmark = pytest.mark.outside

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
METRIC = re.compile(r"\b(rbac_\w+|process_\w+|python_\w+)(?:\{([^}]*)\})?")
OF_PROMETHEUS = {"job", "instance"}
GROUPED = re.compile(r"\bby \(([^)]*)\)")


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def panels() -> dict[str, list[str]]:
    board = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
    return {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in board["panels"]}


EXPRESSIONS = [
    *(rule["expr"] for rule in alerts().values()),
    *(expr for found in panels().values() for expr in found),
]


@pytest.fixture(scope="module")
def series() -> dict[str, list[dict[str, str]]]:
    """Name of each metric of a node that has answered something → the labels of each of its series."""
    node = Service(server_folder("metrics"), {**SETTINGS, "RBAC_DATA_DIR": "instance"})
    node.start()
    address = f"http://127.0.0.1:{node.port}"
    requests.post(f"{address}/v1/auth/login", json={"username": "admin", "password": PASSWORD}, timeout=30)
    text = requests.get(f"{address}/metrics", timeout=30).text
    node.end()
    found: dict[str, list[dict[str, str]]] = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        found.setdefault(name, []).append(dict(re.findall(r'(\w+)="([^"]*)"', labels)))
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_label_and_value_exists(
    expression: str, series: dict[str, list[dict[str, str]]]
) -> None:
    named = METRIC.findall(expression)

    for name, selected in named:
        assert name in series
        for label, operator, value in re.findall(r'(\w+)(=~|=)"([^"]*)"', selected):
            if label in OF_PROMETHEUS or label == "status":
                continue
            values = {one[label] for one in series[name]}
            assert set(value.split("|") if operator == "=~" else [value]) <= values
    labels = {label for name, _ in named for one in series[name] for label in one} | OF_PROMETHEUS
    assert {label for group in GROUPED.findall(expression) for label in group.split(", ")} <= labels


def test_every_metric_of_the_service_is_on_the_dashboard(series: dict[str, list[dict[str, str]]]) -> None:
    shown = " ".join(expr for found in panels().values() for expr in found)

    own = {name for name in series if name.startswith("rbac_") and not name.endswith("_created")}

    assert sorted(name for name in own if name not in shown) == []


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in {"warning", "critical"}, name
        assert len(rule["annotations"]["summary"]) > 20, name
        assert rule["annotations"]["description"].endswith("."), name


def test_the_addresses_that_alerts_name_are_operations_and_pages() -> None:
    document = json.loads((ROOT / "openapi" / "openapi.json").read_text(encoding="utf-8"))
    told = " ".join(rule["annotations"]["description"] for rule in alerts().values())

    for path, query in re.findall(r"GET (/[\w/]+)(?:\?(\w+)=)?", told):
        known = {one["name"] for one in document["paths"][path]["get"].get("parameters", [])}
        assert not query or query in known
    assert [page for page in re.findall(r"docs/\w+\.md", told) if not (ROOT / page).exists()] == []


def test_prometheus_reads_these_rules_and_asks_the_nodes_of_the_compose_file() -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text(encoding="utf-8"))
    nodes = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))["services"]

    [job] = config["scrape_configs"]

    assert [(PROMETHEUS / name).exists() for name in config["rule_files"]] == [True]
    assert job["job_name"] == "rbac-api"
    hosts = {target.partition(":")[0] for target in job["static_configs"][0]["targets"]}
    assert hosts == {name for name in nodes if name.startswith("node-")}
