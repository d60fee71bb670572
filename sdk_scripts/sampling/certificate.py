"""The certificate of a lot: a JSON document that says all that was promised, done and found; and how it looks.

lot, control, size, created_at, date, policy     what was inspected, when, under which version of the guidelines
recorded                                         false: the lot would be drawn like that
verdict                                          accepted, rejected or waiting
why, do                                          the verdict in a sentence, and what to do now
inspection      {inspection, why, score}         how strictly, by the lots before (ISO 2859-1 switching)
parts           [{name, units, plan, counts, inspected, nonconforming, verdict, curve}]
                `plan`: {scheme, lot, n, accept, reject, …}; `counts`: which errors it counts, any or critical
                `curve`: {producer_risk, producer_risk_quality, consumer_risk_quality, aoql, points}
found           {critical, major, minor}         nonconforming tasks of the sample
error_rate, recall  {value, low, high} or null   of the whole lot, 95 % interval; null until the sample is decided
inspected       [{task, label, decided, severity, nonconforming, stratum, link}]
waiting         [task]                           of the sample, undecided
rest            {tasks, undecided}               beyond the sample
review          what became of review tasks, as `tiebreak hard-cases` gives it; null where none were needed
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ml_backend.cases import policy_version
from sdk_scripts import wording
from sdk_scripts.sampling.curve import Curve
from sdk_scripts.sampling.inspect_lot import Outcome
from sdk_scripts.sampling.lots import now
from sdk_scripts.sampling.verdict import CLASSES, Judged, Part

if TYPE_CHECKING:
    from markupsafe import Markup

    from sdk_scripts.sources import Dataset


def certificate(outcome: Outcome, dataset: Dataset) -> dict[str, Any]:
    judged, lot = outcome.judged, outcome.judged.lot
    control, sample = dataset.config[lot.control], frozenset(lot.sample)
    units = [
        {
            "task": unit.task,
            "label": wording.show_key(control, unit.label),
            "decided": wording.show_key(control, unit.decided) if unit.decided else "deleted",
            "severity": unit.severity,
            "nonconforming": unit.nonconforming,
            "stratum": "high risk" if unit.task in lot.high else "ordinary",
            "link": dataset.link(unit.task),
        }
        for unit in judged.units.values()
        if unit.task in sample
    ]
    units.sort(key=lambda it: (not it["nonconforming"], CLASSES.index(it["severity"]), it["task"]))
    rate, recall = judged.error_rate, judged.violations_found
    return {
        "lot": lot.name,
        "source": dataset.name,
        "control": lot.control,
        "size": len(lot.labels),
        "created_at": lot.created_at.isoformat(),
        "date": now().isoformat(),
        "policy": lot.policy,
        "guidelines_changed": bool(dataset.project) and policy_version(dataset.project or {}) != lot.policy,
        "recorded": outcome.recorded,
        "verdict": judged.verdict,
        "why": _why(judged),
        "do": _do(outcome, dataset),
        "inspection": {
            "inspection": lot.plan.inspection,
            "score": outcome.state.score,
            "why": outcome.state.why,
        },
        "parts": [_part(part) for part in judged.parts],
        "found": judged.found,
        "error_rate": rate.to_json() if rate else None,
        "recall": recall.to_json() if recall else None,
        "inspected": units,
        "waiting": list(judged.waiting),
        "rest": {"tasks": len(lot.labels) - len(sample), "undecided": len(judged.rest)},
        "review": outcome.review.to_json() if outcome.review else None,
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "units": part.units,
        "plan": part.plan.to_json(),
        "counts": part.counts,
        "inspected": part.inspected,
        "nonconforming": part.nonconforming,
        "verdict": part.verdict,
        "curve": Curve(part.plan).to_json(),
    }


def _why(judged: Judged) -> str:
    found = judged.found
    if judged.verdict == "rejected":
        if found["critical"]:
            return f"{_times(found['critical'], 'critical error')} in the sample, and none is accepted."
        part = next(it for it in judged.parts if it.verdict == "rejected")
        return (
            f"{_times(part.nonconforming, 'wrong label')} in the sample; more than {part.plan.accept} reject the lot."
        )
    if judged.verdict == "accepted":
        errors = sum(found.values())
        return (
            f"{_times(errors, 'wrong label') if errors else 'No wrong label'} in a sample of {len(judged.lot.sample)}."
        )
    return f"{len(judged.waiting)} of {len(judged.lot.sample)} tasks of the sample are not decided yet."


def _do(outcome: Outcome, dataset: Dataset) -> str:
    judged = outcome.judged
    if judged.verdict == "accepted":
        return "Correct the errors found (`tiebreak resolve`), and use the labels."
    if judged.verdict == "rejected":
        if dataset.project is None:
            return "Do not use the lot: have all of it inspected, or labelled again under clearer guidelines."
        if not judged.rest:
            return "All of it was decided: `tiebreak resolve` writes the decisions, and the lot is as good as they are."
        return (
            "Do not use the lot. Inspect all of it: the same command with --rest --apply makes review tasks of the "
            f"{len(judged.rest)} tasks beyond the sample; or have it labelled again under clearer guidelines."
        )
    if dataset.project is None:
        return "Decide the waiting tasks, and add the decisions to the file as ground truth."
    if not outcome.recorded:
        return "The same command with --apply puts the lot on record and makes review tasks of its sample."
    return "Decide the review tasks; the same command then says what became of the lot."


def _times(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def certificate_html(said: Mapping[str, Any], *, level: int = 2) -> Markup:
    """The certificate as a section of a page, under a heading of that level; needs the styles of the report's pages."""
    from markupsafe import Markup

    from sdk_scripts.report.charts import operating_characteristic
    from sdk_scripts.report.html import template

    curves = {
        part["name"]: [(share, p) for share, p in part["curve"]["points"]]
        for part in said["parts"]
        if part["plan"]["n"]
    }
    chart = operating_characteristic(curves, alt="Probability to accept the lot against the share of wrong labels")
    return Markup(template("lot.html", percent=_percent).render(it=said, chart=chart, level=level))  # noqa: S704  # autoescaped


def certificate_page(said: Mapping[str, Any]) -> str:
    """A complete HTML document of one certificate."""
    from sdk_scripts.report.html import template

    return template("lot_page.html").render(title=f"Lot {said['lot']} – {said['source']}", body=certificate_html(said))


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"
