"""Alert rules and the dashboard: valid, and made of metrics that the gateway and the steps really have."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.harness.servers import free_ports, start_services
from services.errors import catalogue
from tests.support.paths import EXAMPLES, ROOT
from tests.support.programs import command, environ

promql = pytest.importorskip(
    "promql_parser", reason="This test needs promql-parser, which is not installed: make setup."
)

FOLDER = ROOT / "docker"
ALERTS = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))
DASHBOARD = json.loads((FOLDER / "grafana/dashboard.json").read_text("utf-8"))
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
QUERIES = {
    **{rule["alert"]: rule["expr"] for rule in RULES},
    **{
        f"{panel['title']} {target['refId']}": target["expr"].replace("$__rate_interval", "5m")
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    },
}
OF_PROMETHEUS = {"up": {"job", "instance"}}  # metrics that Prometheus adds, with their labels
JOB_LABELS = {"job", "instance"}  # labels that it adds to every metric

each_query = pytest.mark.parametrize("name", QUERIES)


def nodes(expression: str) -> list[Any]:
    """Every part of a query."""
    found: list[Any] = []

    def keep(node: Any) -> bool:
        found.append(node)
        return True

    promql.walk(promql.parse(expression), keep)
    return found


def selectors(expression: str) -> list[Any]:
    """The selectors of time series in a query."""
    return [node for node in nodes(expression) if isinstance(node, promql.VectorSelector)]


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(address).status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"{address} did not become ready")


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[dict[str, str]]]]:
    """The labels of every time series, by name, after a GIF, a file that is no GIF and an invented path."""
    port, of_steps = free_ports(2)
    address = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("gateway") / "log"
    with start_services("--metrics-port", str(of_steps)) as steps, log.open("wb") as output:
        words = ("serve", "rest", "--port", str(port), "--preprocess", steps.address)
        gateway = subprocess.Popen(
            command("gif-analyzer", *words, "--inference", steps.address), stderr=output, env=environ()
        )
        try:
            wait_for(f"{address}/health/ready", gateway)
            gif = (EXAMPLES / "meadow.gif").read_bytes()
            statuses = [
                httpx.post(
                    f"{address}/v1/identify", files={"file": ("a.gif", content)}, timeout=60
                ).status_code
                for content in (gif, gif, b"<!doctype html>")
            ]
            assert statuses == [200, 200, 422]
            pages = [httpx.get(page).text for page in (f"{address}/metrics", f"http://127.0.0.1:{of_steps}")]
        finally:
            gateway.terminate()
            gateway.wait(60)
    found: dict[str, list[dict[str, str]]] = {}
    for page in pages:
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                found.setdefault(sample.name, []).append(sample.labels)
    yield found


@each_query
def test_a_query_uses_metrics_and_labels_that_exist(
    name: str, metrics: dict[str, list[dict[str, str]]]
) -> None:
    selected = selectors(QUERIES[name])
    assert selected
    for selector in selected:
        if selector.name in OF_PROMETHEUS:
            labels = OF_PROMETHEUS[selector.name]
            series: list[dict[str, str]] = []
        else:
            assert selector.name in metrics, f"{selector.name} is in no /metrics"
            series = metrics[selector.name]
            labels = {label for each in series for label in each} | JOB_LABELS
        for matcher in selector.matchers.matchers:
            assert matcher.name in labels, f"{selector.name} has no label {matcher.name}"
        grouped = {
            label
            for node in nodes(QUERIES[name])
            if isinstance(node, promql.AggregateExpr) and node.modifier is not None
            for label in node.modifier.labels
        }
        assert grouped <= labels, f"{selector.name} has no label {grouped - labels}"


@each_query
def test_a_query_asks_for_values_that_exist(name: str, metrics: dict[str, list[dict[str, str]]]) -> None:
    """A misspelt route or reason would select nothing, for ever and silently."""
    jobs = {
        job["job_name"] for job in yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    }
    for selector in selectors(QUERIES[name]):
        series = metrics.get(selector.name, [])
        for matcher in selector.matchers.matchers:
            known = {
                "job": jobs,
                "reason": set(catalogue()),
                "status": {str(error.http_status) for error in catalogue().values()},
            }.get(matcher.name, {each[matcher.name] for each in series if matcher.name in each})
            if matcher.op == promql.MatchOp.Equal:
                assert matcher.value in known, f"{matcher.name}={matcher.value}"
            else:
                assert any(re.fullmatch(matcher.value, value) for value in known)


def test_the_rules_have_what_prometheus_and_a_reader_need() -> None:
    names = [rule["alert"] for rule in RULES]

    assert len(names) == len(set(names)) > 3
    for rule in RULES:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smh]", rule["for"])
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "description"}
        panels = re.findall(r'panel "(.+?)"', rule["annotations"]["description"])
        assert set(panels) <= {panel["title"] for panel in DASHBOARD["panels"]}


def test_a_panel_has_a_number_a_place_and_the_provisioned_source() -> None:
    panels = DASHBOARD["panels"]
    source = yaml.safe_load((FOLDER / "grafana/datasource.yml").read_text("utf-8"))["datasources"][0]
    places = [panel["gridPos"] for panel in panels]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    assert len(cells) == len(set(cells))  # no two overlap
    assert max(x for x, _ in cells) < 24


def test_prometheus_asks_every_program_that_compose_starts() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    targets = {
        target.rpartition(":")[::2]
        for job in config["scrape_configs"]
        for static in job["static_configs"]
        for target in static["targets"]
    }
    ours = {name: each for name, each in COMPOSE["services"].items() if each.get("build") == "."}

    assert {host for host, _ in targets} == set(ours)
    for host, port in targets:
        words = ours[host]["command"]
        expected = words[words.index("--metrics-port") + 1] if "--metrics-port" in words else "8080"
        assert port == expected
        assert set(ours[host]["networks"]) & set(COMPOSE["services"]["prometheus"]["networks"])
    mounted = [volume.split(":")[0] for volume in COMPOSE["services"]["prometheus"]["volumes"]]
    assert [name for name in mounted if Path(name).suffix and not (ROOT / name).is_file()] == []
    assert config["rule_files"] == ["alerts.yml"]


def test_the_alerts_are_documented() -> None:
    rows = re.findall(r"^\| `([A-Z]\w+)` \|", (ROOT / "docs/run.md").read_text("utf-8"), re.MULTILINE)

    assert rows == [rule["alert"] for rule in RULES]
