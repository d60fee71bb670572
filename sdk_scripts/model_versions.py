"""What is known of a project's model versions: how good, how honest, and how much may be accepted unseen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_backend.labeling.errors import InputError, UnknownName
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.thresholds import Threshold, accept_above, accept_above_by, labels_needed

if TYPE_CHECKING:
    from ml_backend.labeling.config import LabelConfig
    from ml_backend.model_registry import ModelRegistry, VersionInfo
    from ml_backend.outcomes import Outcomes

BY = ("overall", "label")
NOT_YET = "no threshold can promise that yet"
MOST_TRUTHS = 20


def version_rows(versions: Sequence[VersionInfo]) -> list[dict[str, Any]]:
    """A row for each version and control, as `tiebreak models list` shows them."""
    return [
        {
            "version": info.version,
            "live": info.live,
            "created_at": f"{info.created_at:%Y-%m-%d %H:%M}",
            "labels": info.labels,
            "control": control,
            "accuracy": metrics.get("accuracy"),
            "ece": metrics.get("ece"),
            "coverage at 0.95": (metrics.get("coverage") or {}).get("0.95"),
            "accepted": info.accepted,
            "reason": info.reason,
        }
        for info in versions
        for control, metrics in info.metrics.items()
    ]


def find_version(registry: ModelRegistry, project: str, version: str | None = None) -> VersionInfo:
    """The version of that name; without one the live version, or else the newest. Raises InputError for none."""
    versions = registry.versions(project)
    if version is not None:
        for info in versions:
            if info.version == version:
                return info
        raise UnknownName("model version", version, [info.version for info in versions])
    if not versions:
        raise InputError(
            f"Project {project} has no trained version yet.", mend="Label some tasks and run `tiebreak train`."
        )
    return next((info for info in versions if info.live), versions[0])


def thresholds(
    registry: ModelRegistry,
    project: str,
    config: LabelConfig,
    *,
    error: float,
    certainty: float,
    control: str | None = None,
    by: str = "overall",
) -> dict[str, Any]:
    """JSON: for each control of the live version (the newest where none is live), or for one, the threshold that
    accepts most within the budget, worked out from the opinions the version had out of fold.

    `threshold` is null where none can promise the budget, and `labels_needed` the number of labels that it takes, about
    (null: at the present rate of errors no number is enough). `truths` says, for what would be accepted, how it went by
    the right label, worst first: a budget over everything may leave a rare label mostly wrong. `by="label"` gives each
    label that the model answers a promise of its own, all of which hold together with the certainty. Raises InputError
    and ModelUnavailable.
    """
    if by not in BY:
        raise UnknownName("grouping of thresholds", by, BY)
    model = registry.load(project, find_version(registry, project).version)
    if control is not None and control not in model.outcomes:
        raise UnknownName("control in this model version", control, list(model.outcomes))
    ask = _by_label if by == "label" else _overall
    return {
        "version": model.info.version,
        "error": error,
        "certainty": certainty,
        "by": by,
        "controls": {
            name: {"labels": len(known), **ask(known, error, certainty, _names(config, name, known))}
            for name, known in model.outcomes.items()
            if control in (None, name)
        },
    }


def sentences(found: dict[str, Any]) -> Iterator[str]:
    """What the JSON of `thresholds` says, for people."""
    budget = f"at most {100 * found['error']:g} % errors, with certainty {found['certainty']:g}"
    for control, it in found["controls"].items():
        groups = it.get("groups") or {"": it}
        for label, group in groups.items():
            yield f"{control}{f', answer {label}' if label else ''} ({group['labels']} labels): {_said(group, budget)}"
        for truth in it.get("truths", ()):
            if truth["share"] > found["error"]:
                yield (
                    f"{control}: of what would be accepted, {truth['errors']} of the {truth['accepted']} that are in "
                    f"truth {truth['label']} are wrong."
                )


def _said(group: dict[str, Any], budget: str) -> str:
    if it := group["threshold"]:
        return (
            f"accept from confidence {it['confidence']:.4f} on, for {budget}. That is {100 * it['coverage']:.1f} % of "
            f"the answers, {it['errors']} wrong among {it['accepted']}, so at most {100 * it['bound']:.2f} %."
        )
    needed = group["labels_needed"]
    if needed is None:
        return f"{NOT_YET} ({budget}): even the most confident answers are wrong too often."
    return f"{NOT_YET} ({budget}): at the present rate of errors it takes about {float(f'{needed:.2g}'):,.0f} labels."


def _overall(known: Outcomes, error: float, certainty: float, names: Sequence[str]) -> dict[str, Any]:
    found = accept_above(known.confidence, known.correct, error=error, certainty=certainty)
    return {**_document(known, found, error, certainty), "truths": _truths(known, found, names)}


def _by_label(known: Outcomes, error: float, certainty: float, names: Sequence[str]) -> dict[str, Any]:
    codes = known.answered.tolist()
    found = accept_above_by(known.confidence, known.correct, codes, errors=error, certainty=certainty)
    each = 1 - (1 - certainty) / max(len(found), 1)
    groups = {}
    for code in sorted(found, key=lambda code: (-codes.count(code), code)):
        own = known.answered == code
        groups[names[code]] = {
            "labels": int(own.sum()),
            **_document(known, found[code], error, each, own),
        }
    return {"groups": groups}


def _document(
    known: Outcomes, found: Threshold | None, error: float, certainty: float, own: np.ndarray | None = None
) -> dict[str, Any]:
    rows = slice(None) if own is None else own
    needed = labels_needed(known.confidence[rows], known.correct[rows], error=error, certainty=certainty)
    return {"threshold": asdict(found) if found else None, "labels_needed": needed}


def _truths(known: Outcomes, found: Threshold | None, names: Sequence[str]) -> list[dict[str, Any]]:
    if found is None:
        return []
    taken = known.confidence >= found.confidence
    rows = []
    for code in np.unique(known.expected[taken]).tolist():
        own = taken & (known.expected == code)
        accepted, errors = int(own.sum()), int((own & ~known.correct).sum())
        rows.append({"label": names[code], "accepted": accepted, "errors": errors, "share": errors / accepted})
    return sorted(rows, key=lambda row: (-row["share"], row["label"]))[:MOST_TRUTHS]


def _names(config: LabelConfig, control: str, known: Outcomes) -> list[str]:
    """For people, by code; the last, which the code -1 finds, is for rare answers."""
    kind = kind_of(config[control]) if control in config else None
    show: Callable[[str], str] = (lambda key: kind.show(kind.from_key(key))) if kind else str
    return [*map(show, known.answers), "(rare answers)"]
