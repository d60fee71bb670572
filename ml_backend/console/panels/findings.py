"""What the newest inspection of each project found (the files of `sdk_scripts.monitoring.findings_store`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import structlog

from ml_backend.console.panels import FromStorage, Panel, mapping, number, register, task_link, text

log = structlog.stdlib.get_logger()

MOST_EACH = 20
"""Findings of a project, the weightiest."""
MOST = 100
MOST_LINKS = 3
MOST_ACKNOWLEDGED = 500
"""Acknowledgements of a project that are looked at."""
WORSE = 1.5
"""As in `findings_state`: an acknowledged finding that is so many times as far beyond its threshold is open again."""
SEVERITIES = ("high", "medium", "low")


@register("findings")
class Findings(Panel):
    where = "storage"

    def collect(self, given: FromStorage) -> dict[str, Any]:
        """rows: key, severity, state (new, continuing, away or acknowledged), rule, subject, message, cause, since,
        links (to tasks), the severe ones first; `projects`: key -> at (when it was inspected), open by severity,
        acknowledged, cleared."""
        rows: list[dict[str, Any]] = []
        projects: dict[str, dict[str, Any]] = {}
        for key in given.keys:
            standings = _read(given, f"inspections/{key}/standings.json")
            if not standings:
                continue
            known = _acknowledged(given, key)
            found = [_row(given, key, it, known) for it in map(mapping, standings.get("open") or ())]
            found.sort(key=lambda row: (_rank(row), -row.pop("weight")))
            still = [row for row in found if row["state"] != "acknowledged"]
            projects[key] = {
                "at": text(standings.get("at"), 40) or None,
                "title": text(standings.get("title"), 120),
                "open": {name: sum(row["severity"] == name for row in still) for name in SEVERITIES},
                "acknowledged": len(found) - len(still),
                "cleared": len(standings.get("cleared") or ()),
            }
            rows += found[:MOST_EACH]
        rows.sort(key=_rank)
        return {"rows": rows[:MOST], "more": max(len(rows) - MOST, 0), "projects": projects}


def _row(given: FromStorage, key: str, it: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    evidence = [task for task in it.get("evidence") or () if isinstance(task, int)]
    return {
        "key": key,
        "id": text(it.get("key"), 120),
        "severity": text(it.get("severity"), 20),
        "state": _state(it, known.get(str(it.get("key")))),
        "rule": text(it.get("rule"), 60),
        "subject": text(it.get("subject"), 120),
        "message": text(it.get("message")),
        "cause": text(it.get("cause"), 40),
        "since": text(it.get("since"), 40) or None,
        "weight": number(it.get("weight")) or 0.0,
        "links": [{"task": task, "url": task_link(given.settings, key, task)} for task in evidence[:MOST_LINKS]],
    }


def _state(it: Mapping[str, Any], known: Mapping[str, Any] | None) -> str:
    if known and known.get("since") == it.get("since"):
        beyond = abs((number(it.get("value")) or 0.0) - (number(it.get("threshold")) or 0.0))
        if beyond <= WORSE * (number(known.get("excess")) or 0.0) + 1e-9:
            return "acknowledged"
    if it.get("away"):
        return "away"
    return "new" if it.get("times") == 1 else "continuing"


def _rank(row: Mapping[str, Any]) -> tuple[bool, int]:
    severity = row["severity"]
    return row["state"] == "acknowledged", SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _acknowledged(given: FromStorage, key: str) -> dict[str, Mapping[str, Any]]:
    folder = f"inspections/{key}/acknowledged"
    names = [name for name in given.files.files(folder) if name.endswith(".json")][:MOST_ACKNOWLEDGED]
    read = (_read(given, f"{folder}/{name}") for name in names)
    return {str(it["key"]): it for it in read if "key" in it}


def _read(given: FromStorage, name: str) -> Mapping[str, Any]:
    """Empty where it is not there, or damaged."""

    def read() -> Mapping[str, Any]:
        content = given.files.read(name)
        try:
            return mapping(json.loads(content)) if content else {}
        except (ValueError, RecursionError) as error:
            log.error("what is known of findings is damaged", file=name, why=str(error))
            return {}

    return given.memory.get(("file", name), given.files.mark(name), read)
