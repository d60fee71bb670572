"""What Prometheus is told, and that the Grafana dashboard asks for nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from ml_backend.console.panels import MOST_PROJECTS
from ml_backend.encoder import Encoder
from ml_backend.model_registry import ModelRegistry
from ml_backend.queues import Jobs
from ml_backend.settings import Settings, load_settings
from ml_backend.valkey import Valkey
from tests.unit.serving.console_content import KEY, LABELED, OTHER_KEY, fill, list_projects, listed
from tests.unit.serving.running import SENTIMENT, eventually, serving

DOCKER = Path(__file__).parents[3] / "docker"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Iterator[Settings]:
    with Valkey(tmp_path_factory.mktemp("metrics-valkey")) as server:
        home = tmp_path_factory.mktemp("metrics")
        settings = load_settings(home=home, redis_url=SecretStr(server.url))
        with Jobs(settings) as jobs:
            fill(settings, jobs, encoder)
            yield settings


@pytest.fixture(scope="module")
def client(filled: Settings, encoder: Encoder) -> Iterator[httpx.Client]:
    with serving(filled, encoder) as client:
        eventually(lambda: samples(client, "tiebreak_projects"), what="the projects")
        yield client


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    return dict(json.loads((DOCKER / "grafana" / "tiebreak.json").read_text()))


def families(client: httpx.Client) -> dict[str, Metric]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def samples(client: httpx.Client, name: str) -> dict[tuple[str, ...], float]:
    """Values of the labels, these in alphabetical order -> value."""
    family = families(client).get(name)
    return {tuple(it.labels[label] for label in sorted(it.labels)): it.value for it in family.samples} if family else {}


def test_queues_and_projects_are_counted(client: httpx.Client) -> None:
    jobs = samples(client, "tiebreak_queue_jobs")
    assert jobs["tiebreak-train", "failed"] == 1
    assert jobs["tiebreak-train", "finished"] == 2
    assert jobs["tiebreak-work", "waiting"] == 1
    assert samples(client, "tiebreak_projects") == {(): 2}
    assert samples(client, "tiebreak_project_labels")[KEY,] == 80
    assert samples(client, "tiebreak_project_new_labels")[KEY,] == 3
    assert samples(client, "tiebreak_workers") == {("busy",): 0, ("idle",): 0}
    assert samples(client, "tiebreak_alerts_waiting") == {(): 1}
    assert samples(client, "tiebreak_source_up") == {("redis",): 1, ("storage",): 1, ("studio",): 1}


def test_the_live_version_is_told_with_how_good_it_is(client: httpx.Client, filled: Settings) -> None:
    [info] = ModelRegistry(filled.models).versions(KEY)
    said = info.metrics["sentiment"]
    assert samples(client, "tiebreak_live_version_info") == {(KEY, info.version): 1}
    assert samples(client, "tiebreak_live_version_labels") == {(KEY,): LABELED}
    assert samples(client, "tiebreak_live_version_accuracy") == {("sentiment", KEY): said["accuracy"]}
    assert samples(client, "tiebreak_live_version_calibration_error") == {("sentiment", KEY): said["ece"]}
    made = samples(client, "tiebreak_live_version_timestamp_seconds")[KEY,]
    coverage = samples(client, "tiebreak_live_version_coverage")
    assert coverage == {("sentiment", KEY): said["coverage"]["0.95"]}
    assert made == pytest.approx(info.created_at.timestamp(), abs=1)


def test_trainings_findings_reports_and_spend_are_told(client: httpx.Client) -> None:
    assert samples(client, "tiebreak_last_training_ok") == {(KEY,): 1, (OTHER_KEY,): 0}
    assert samples(client, "tiebreak_last_training_seconds")[KEY,] >= 0
    assert samples(client, "tiebreak_open_findings")[KEY, "high"] == 1
    assert samples(client, "tiebreak_hard_cases")[KEY,] == 3
    assert samples(client, "tiebreak_latest_report_timestamp_seconds")[KEY,] > 1_700_000_000
    assert samples(client, "tiebreak_large_model_tokens_today") == {("input", KEY): 1_200, ("output", KEY): 80}
    assert samples(client, "tiebreak_large_model_money_today") == {(KEY,): 0.25}


def test_no_title_name_or_error_becomes_a_label(client: httpx.Client) -> None:
    told = client.get("/metrics").text
    assert all(it not in told for it in ("onerror", "ana@example.com", "Product reviews", "few; 10"))


def test_projects_told_of_are_bounded(queue_settings: Settings, encoder: Encoder) -> None:
    with Jobs(queue_settings) as jobs:
        list_projects(jobs, *(listed(number, "p") for number in range(1, MOST_PROJECTS + 40)))
    with serving(queue_settings, encoder) as client:
        eventually(lambda: samples(client, "tiebreak_projects"), what="the projects")
        assert samples(client, "tiebreak_projects") == {(): MOST_PROJECTS + 39}
        assert len(samples(client, "tiebreak_project_tasks")) == MOST_PROJECTS


def test_every_metric_of_the_dashboard_is_exported(client: httpx.Client, dashboard: dict[str, Any]) -> None:
    body = {"tasks": [{"id": 1, "data": {"text": "I love it"}}], "project": KEY, "label_config": SENTIMENT}
    client.post("/predict", json=body)
    exported = {it.name for family in families(client).values() for it in family.samples}
    asked = {name for it in expressions(dashboard) for name in re.findall(r"tiebreak_\w+", it)}
    assert len(asked) > 20
    assert asked <= exported


def test_every_metric_of_ours_is_on_the_dashboard(client: httpx.Client, dashboard: dict[str, Any]) -> None:
    shown = " ".join(expressions(dashboard))
    ours = [name for name in families(client) if name.startswith("tiebreak_") and not name.endswith("_created")]
    assert [name for name in ours if name not in shown] == []


def test_labels_that_the_dashboard_groups_by_exist(client: httpx.Client, dashboard: dict[str, Any]) -> None:
    known = {label for family in families(client).values() for it in family.samples for label in it.labels}
    legends = [it["legendFormat"] for panel in dashboard["panels"] for it in panel.get("targets", ())]
    groups = [name for expr in expressions(dashboard) for name in re.findall(r"by \(([^)]*)\)", expr)]
    used = {name for legend in legends for name in re.findall(r"\{\{(\w+)\}\}", legend)}
    used |= {name.strip() for group in groups for name in group.split(",")}
    assert used <= known


def test_the_dashboard_can_be_imported_anywhere(dashboard: dict[str, Any]) -> None:
    assert dashboard["id"] is None
    assert dashboard["schemaVersion"] >= 36
    variables = {it["name"]: it for it in dashboard["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    source = {"type": "prometheus", "uid": "${datasource}"}
    ids, taken = set(), set()
    for panel in dashboard["panels"]:
        ids.add(panel["id"])
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["title"]
        assert panel["datasource"] == source
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["datasource"] == source
            assert target["expr"].count("(") == target["expr"].count(")")
    assert len(ids) == len(dashboard["panels"])


def test_the_scrape_is_one_that_the_backend_answers() -> None:
    [scrape] = yaml.safe_load((DOCKER / "prometheus.yml").read_text())["scrape_configs"]
    assert scrape.get("metrics_path", "/metrics") == "/metrics"
    assert scrape["basic_auth"]["username"] == "tiebreak"
    services = yaml.safe_load((DOCKER.parent / "docker-compose.yml").read_text())["services"]
    [found] = scrape["dns_sd_configs"]
    assert set(found["names"]) <= set(services)


def expressions(dashboard: dict[str, Any]) -> list[str]:
    """All PromQL of it."""
    panels = [it["expr"] for panel in dashboard["panels"] for it in panel.get("targets", ())]
    annotations = [it["expr"] for it in dashboard["annotations"]["list"] if "expr" in it]
    return [*panels, *annotations, *(it["definition"] for it in dashboard["templating"]["list"] if "definition" in it)]
