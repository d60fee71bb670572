"""Model versions of each project: which one answers, how good each is, and why it was made live or not."""

from __future__ import annotations

from typing import Any

from ml_backend.console.panels import FromStorage, Panel, mapping, number, register, text, when
from ml_backend.labeling.errors import ModelUnavailable
from ml_backend.model_registry import VersionInfo

MOST_EACH = 5
"""Versions of a project: the live one, and the newest others."""
MOST_CONTROLS = 10
_METRICS = ("labels", "accuracy", "macro_f1", "ece", "majority")


@register("versions")
class Versions(Panel):
    where = "storage"

    def collect(self, given: FromStorage) -> dict[str, Any]:
        """rows: key, version, live, created_at, labels, accepted, reason, controls (accuracy, ece, coverage_95 … of
        each), the newest first, the live one before all; `totals`: key -> how many there are."""
        rows: list[dict[str, Any]] = []
        totals: dict[str, int] = {}
        for key in given.keys:
            names, live = given.registry.names(key), _live(given, key)
            known = [it for name in names if (it := self._info(given, key, name)) is not None]
            known.sort(key=lambda it: (it.created_at, it.version), reverse=True)
            first = [it for it in known if it.version == live]
            shown = [*first, *(it for it in known if it.version != live)][:MOST_EACH]
            rows += [_row(key, it, it.version == live) for it in shown]
            totals[key] = len(names)
        return {"rows": rows, "totals": totals}

    def _info(self, given: FromStorage, key: str, name: str) -> VersionInfo | None:
        return given.memory.get(("version", key, name), None, lambda: given.registry.info(key, name))


def _live(given: FromStorage, key: str) -> str | None:
    try:
        return given.registry.live(key)
    except ModelUnavailable:  # a damaged pointer: none answers
        return None


def _row(key: str, it: VersionInfo, live: bool) -> dict[str, Any]:
    return {
        "key": key,
        "version": it.version,
        "live": live,
        "created_at": when(it.created_at),
        "labels": it.labels,
        "accepted": it.accepted,
        "reason": text(it.reason),
        "controls": {text(name, 60): _metrics(said) for name, said in list(it.metrics.items())[:MOST_CONTROLS]},
    }


def _metrics(said: object) -> dict[str, float | None]:
    known = mapping(said)
    return {name: number(known.get(name)) for name in _METRICS} | {
        "coverage_95": number(mapping(known.get("coverage")).get("0.95"))
    }
