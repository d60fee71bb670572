"""Findings and inspections as they are needed, without the labels behind them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from sdk_scripts.blame import Blame
from sdk_scripts.inspection import Finding, Inspection
from sdk_scripts.monitoring.findings_state import Standing, Standings, compare
from sdk_scripts.rules import Observation

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
KEY = "7.1795381865"


def finding(subject: str = "ana", rule: str = "gold_failures", **more: Any) -> Finding:
    said = {"value": 0.4, "threshold": 0.8, "n": 40, "off": True, "message": "16 of 40 right.", "evidence": (3, 5)}
    about = {name: more.pop(name) for name in list(more) if name in Observation.__dataclass_fields__}
    fields = {"severity": "high", "weight": 4.0, "blame": Blame("annotator", "Alone."), **more}
    return Finding(rule, "reliability", observation=Observation(subject, **{**said, **about}), adjusted=0.001, **fields)


def inspection(*findings: Finding, measured: Collection[str] = ("gold_failures", "speed")) -> Inspection:
    return Inspection(tuple(findings), len(findings), dict.fromkeys(measured, 3), {})


def after(*inspections: Inspection | None, every: timedelta = timedelta(hours=1), **about: Any) -> Standings:
    """Standings after these, one after the other; None: nothing happens for that long."""
    standings = Standings(title="Reviews", url="http://studio.example/projects/7/data", **about)
    for number, it in enumerate(inspections):
        if it is not None:
            standings = compare(standings, it, START + number * every).standings
    return standings


def standing(subject: str = "ana", **more: Any) -> Standing:
    (it,) = after(inspection(finding(subject, **more))).open.values()
    return it
