"""What the console shows, for Prometheus: read from what all processes share, so that each of them says the same.

Counters and times of requests (`app`, `guards`) are of one process, as `tiebreak serve` is one; several of them behind
one address are several targets. Labels are bounded: MOST_PROJECTS projects, MOST_CONTROLS controls, known states,
severities and queues. What cannot be read is left out after a while, and `tiebreak_source_up` is 0.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ml_backend.console.panels import MOST_PROJECTS, panels_of
from ml_backend.console.panels._jobs import REGISTRIES
from ml_backend.console.panels.findings import SEVERITIES
from ml_backend.console.state import State

STALE_SECONDS = 300.0
"""Older figures are no figures."""
_SPENT = ("input_tokens", "output_tokens")


class Gauges(Collector):
    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        shown = self._state.shown
        up = _gauge("tiebreak_source_up", "Whether it answers: redis, storage, studio.", "source")
        for where in ("redis", "storage"):
            known = [shown[panel.name] for panel in panels_of(where)]
            up.add_metric([where], float(all(it.data is not None and it.problem is None for it in known)))
        oldest = time.time() - STALE_SECONDS
        data = {name: it.data for name, it in shown.items() if it.data is not None and (it.at or 0.0) >= oldest}
        if "projects" in data:
            up.add_metric(["studio"], float(data["projects"]["studio"] is None))
        yield up
        yield from _queues(data)
        yield from _projects(data)
        yield from _trainings(data)
        yield from _versions(data)
        yield from _quality(data)
        yield from _large_model(data)


def _gauge(name: str, help: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help, labels=labels)


def _rows(data: Mapping[str, Any], panel: str) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = data[panel]["rows"] if panel in data else []
    return rows


def _queues(data: Mapping[str, Any]) -> Iterator[Metric]:
    jobs = _gauge(
        "tiebreak_queue_jobs",
        "Jobs by queue and state; failed ones of a week, finished ones of a day.",
        "queue",
        "state",
    )
    for row in _rows(data, "queues"):
        for state in ("waiting", *REGISTRIES):
            jobs.add_metric([row["queue"], state], row[state])
    workers = _gauge("tiebreak_workers", "Workers on all machines: idle or busy.", "state")
    if "workers" in data:
        total, busy = data["workers"]["total"], data["workers"]["busy"]
        workers.add_metric(["busy"], busy)
        workers.add_metric(["idle"], total - busy)
    alerts = _gauge("tiebreak_alerts_waiting", "Projects with alerts that wait to be sent.")
    if "alerts" in data:
        alerts.add_metric([], data["alerts"]["total"])
    yield from (jobs, workers, alerts)


def _projects(data: Mapping[str, Any]) -> Iterator[Metric]:
    count = _gauge("tiebreak_projects", "Projects that people label for a model to learn from.")
    tasks = _gauge("tiebreak_project_tasks", "Tasks in Label Studio.", "project")
    labels = _gauge("tiebreak_project_labels", "Annotations in Label Studio, without skipped ones.", "project")
    new = _gauge("tiebreak_project_new_labels", "Labels that the next training will be the first to see.", "project")
    if "projects" in data:
        count.add_metric([], len(data["projects"]["rows"]) + data["projects"]["more"])
    for row in _rows(data, "projects"):
        tasks.add_metric([row["key"]], row["tasks"])
        labels.add_metric([row["key"]], row["labels"])
        new.add_metric([row["key"]], row["new_labels"])
    yield from (count, tasks, labels, new)


def _trainings(data: Mapping[str, Any]) -> Iterator[Metric]:
    ended = _gauge("tiebreak_last_training_timestamp_seconds", "When the last training of the day ended.", "project")
    took = _gauge("tiebreak_last_training_seconds", "How long it took.", "project")
    outcome = _gauge("tiebreak_last_training_ok", "1: it made a version; 0: it failed or was refused.", "project")
    last = data["runs"]["trainings"] if "runs" in data else {}
    for key, row in list(last.items())[:MOST_PROJECTS]:
        if row["at"]:
            ended.add_metric([key], datetime.fromisoformat(row["at"]).timestamp())
        if row["seconds"] is not None:
            took.add_metric([key], row["seconds"])
        outcome.add_metric([key], float(row["state"] == "finished"))
    yield from (ended, took, outcome)


def _versions(data: Mapping[str, Any]) -> Iterator[Metric]:
    info = _gauge("tiebreak_live_version_info", "The version that answers.", "project", "version")
    made = _gauge("tiebreak_live_version_timestamp_seconds", "When it was trained.", "project")
    labels = _gauge("tiebreak_live_version_labels", "Tasks it learned from.", "project")
    metrics = {
        name: _gauge(f"tiebreak_live_version_{metric}", help, "project", "control")
        for name, metric, help in (
            ("accuracy", "accuracy", "Accuracy out of fold, in [0, 1]."),
            ("ece", "calibration_error", "Expected calibration error, in [0, 1]."),
            ("coverage_95", "coverage", "Share that can be accepted at 95 % of accuracy, in [0, 1]."),
        )
    }
    for row in _rows(data, "versions"):
        if not row["live"]:
            continue
        info.add_metric([row["key"], row["version"]], 1)
        made.add_metric([row["key"]], datetime.fromisoformat(row["created_at"]).timestamp())
        labels.add_metric([row["key"]], row["labels"])
        for control, said in row["controls"].items():
            for name, gauge in metrics.items():
                if said[name] is not None:
                    gauge.add_metric([row["key"], control], said[name])
    yield from (info, made, labels, *metrics.values())


def _quality(data: Mapping[str, Any]) -> Iterator[Metric]:
    findings = _gauge("tiebreak_open_findings", "Of the newest inspection, not acknowledged.", "project", "severity")
    for key, said in (data["findings"]["projects"] if "findings" in data else {}).items():
        for severity in SEVERITIES:
            findings.add_metric([key, severity], said["open"][severity])
    hard = _gauge("tiebreak_hard_cases", "As the newest report counts them.", "project")
    for row in _rows(data, "hard_cases"):
        hard.add_metric([row["key"]], row["total"])
    reports = _gauge("tiebreak_latest_report_timestamp_seconds", "When the newest report was made.", "project")
    newest: dict[str, float] = {}
    for row in _rows(data, "reports"):
        if row["made_at"]:
            newest.setdefault(row["key"], datetime.fromisoformat(row["made_at"]).timestamp())
    for key, at in newest.items():
        reports.add_metric([key], at)
    yield from (findings, hard, reports)


def _large_model(data: Mapping[str, Any]) -> Iterator[Metric]:
    tokens = _gauge("tiebreak_large_model_tokens_today", "Tokens, since midnight UTC.", "project", "direction")
    money = _gauge("tiebreak_large_model_money_today", "As the project's policy prices them.", "project")
    for row in _rows(data, "large_model"):
        for name in _SPENT:
            tokens.add_metric([row["key"], name.removesuffix("_tokens")], row["today"][name])
        money.add_metric([row["key"]], row["today"]["money"])
    yield from (tokens, money)
