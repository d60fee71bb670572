"""The history of a project's reports: what is compared with what, and the headline figures that trends are made of.

A report is made also where the history cannot be read; it then says so in a note.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from ml_backend.labeling.errors import ConfigError, InputError, ModelUnavailable
from ml_backend.labeling.kinds import finite
from ml_backend.labeling.results import project_key
from ml_backend.report_history import Kept, ReportHistory
from ml_backend.roles import role_of

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from sdk_scripts.sources import Dataset

log = structlog.stdlib.get_logger()

ALPHA = "alpha:"
"""Before a control's name: the figure of its agreement."""
Figures = dict[str, float | None]
_SHAPE = {"overview": dict, "controls": list, "annotators": list, "hard_cases": list, "versions": list}
"""What any report has, whatever version of Tiebreak made it."""


class Before(NamedTuple):
    """The earlier report that a new one is compared with."""

    report: Mapping[str, Any] | None = None
    note: str = ""
    """Why there is none, where one was to be expected."""


def figures(report: Mapping[str, Any]) -> Figures:
    """The headline figures of a report (`Report.to_json`) by name; None where it cannot say one."""
    overview, annotators = report["overview"], report["annotators"]
    findings = (report.get("inspection") or {}).get("findings")
    return {
        "labeled": overview["labeled"],
        "judgements": overview["judgements"],
        "annotators": overview["annotators"],
        **{f"{ALPHA}{row['control']}": row["alpha"] for row in report["controls"]},
        "quality": _mean_quality(annotators),
        "hard_cases": len(report["hard_cases"]),
        "findings_high": None if findings is None else sum(it["severity"] == "high" for it in findings),
        "median_seconds": _median([row["median_lead_time"] for row in annotators]),
        "live_accuracy": _live_accuracy(report["versions"]),
    }


def history_of(dataset: Dataset, settings: Settings) -> ReportHistory | None:
    """None for a file, and for what is no project that people label: a round, a review project, a case library."""
    if dataset.project is None or not role_of(dataset.project).learns:
        return None
    return ReportHistory(settings, project_key(dataset.project))


def most_kept(project: Mapping[str, Any]) -> int:
    """How many reports of it stay, by its rules."""
    from sdk_scripts.quality import Quality, quality_of

    try:
        return quality_of(project).reports.keep
    except ConfigError as error:
        log.warning("the rules cannot be read", project=project_key(project), why=str(error))
        return Quality().reports.keep


def keep_in(
    history: ReportHistory, files: Mapping[str, bytes], report: Mapping[str, Any], *, why: str, most: int
) -> Kept:
    """Add a report, and remove the oldest. Raises ModelUnavailable, with nothing added."""
    kept = history.add(files, why=why, title=str(report["title"]), url=_url(report), figures=figures(report))
    try:
        history.prune(most)
    except ModelUnavailable as error:
        log.warning("old reports stay", project=history.project_key, why=str(error))
    return kept


def before_of(dataset: Dataset, settings: Settings, out: Path | None = None) -> Before:
    """The newest report of a project's history; where there is none, and for a file, the one that is in `out`."""
    found = Before()
    if (history := history_of(dataset, settings)) is not None:
        try:
            if (newest := history.newest()) is not None:
                return Before(_checked(newest[1], f"The kept report {newest[0].id}"))
        except (ModelUnavailable, InputError) as error:
            found = Before(note=f"Earlier reports cannot be read: {error.what}")
    path = None if out is None else out / "report.json"
    if path is None or not path.exists():
        return found
    try:
        report = _read(path)
    except InputError as error:
        return Before(note=error.what)
    return Before(report) if _url(report) == dataset.url else found


def chosen_before(against: str, dataset: Dataset, settings: Settings) -> Mapping[str, Any]:
    """The report that somebody names: by a file or its folder, or by its id in the history. Raises InputError,
    ModelUnavailable."""
    path = Path(against)
    if path.exists():
        return _read(path / "report.json" if path.is_dir() else path)
    history = history_of(dataset, settings)
    known = [] if history is None else [it.id for it in history.kept()]
    if history is None or against not in known:
        listed = ", ".join(known[:5]) or "none"
        raise InputError(
            f"There is no file {against}, and no report of that id in the history; the newest there: {listed}.",
            mend="Name a report.json, or an id that `tiebreak report SOURCE --history` lists.",
        )
    return _document(history.read(against, "report.json") or b"", f"The report {against}")


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return _document(path.read_bytes(), str(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", mend="Name a report.json.") from None


def _document(content: bytes, name: str) -> Mapping[str, Any]:
    try:
        return _checked(json.loads(content), name)
    except (ValueError, RecursionError):
        return _checked(None, name)


def _checked(document: object, name: str) -> Mapping[str, Any]:
    if isinstance(document, dict) and all(isinstance(document.get(key), kind) for key, kind in _SHAPE.items()):
        return document
    raise InputError(f"{name} is no report that can be compared with.", mend="Name another report.json.")


def _url(report: Mapping[str, Any]) -> str | None:
    url = report.get("url")
    return url if isinstance(url, str) else None


def _mean_quality(annotators: list[dict[str, Any]]) -> float | None:
    """Each annotator's weighs as much as their judgements."""
    known = [(row["quality"], row["judgements"]) for row in annotators if row["quality"] is not None]
    total = sum(weight for _, weight in known)
    return sum(quality * weight for quality, weight in known) / total if total else None


def _live_accuracy(versions: list[dict[str, Any]]) -> float | None:
    """The mean over the controls of the live version, out of fold."""
    found = [
        float(accuracy)
        for version in versions
        if version["live"]
        for metrics in version["metrics"].values()
        if (accuracy := finite(metrics.get("accuracy"))) is not None
    ]
    return statistics.fmean(found) if found else None


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
