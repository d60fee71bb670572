"""A dataset -> the export of it, with what its data card tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ml_backend.labeling.errors import NotEnoughLabels
from sdk_scripts.evidence import Evidence
from sdk_scripts.training_export.mapping_file import read_mapping
from sdk_scripts.training_export.model import ControlSet, Export
from sdk_scripts.training_export.pairs import Pair, Policies
from sdk_scripts.training_export.rows import Rows, Wanted, controls_of, rows
from sdk_scripts.training_export.split import balance

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from sdk_scripts.sources import Dataset

DIGITS = 4
"""Of figures in the card."""


@dataclass(frozen=True)
class Asked:
    """Beside what rows are wanted."""

    mapping: Path | None = None
    texts: bool = False
    """Whether a model of the texts is heard in the consensus: otherwise labels are people's alone."""
    names: bool = False
    """Whether the card names annotators."""
    licence: str = ""


def collect(dataset: Dataset, settings: Settings, wanted: Wanted | None = None, asked: Asked | None = None) -> Export:
    """Raises what `rows` and `read_mapping` raise, NotEnoughLabels where none is left, StudioError and
    ModelUnavailable."""
    wanted, asked = wanted or Wanted(), asked or Asked()
    evidence = Evidence.collect(dataset, settings) if asked.texts else Evidence(dataset, given_opinions={})
    controls = controls_of(evidence, wanted.controls)
    mappings = read_mapping(asked.mapping, dataset.config, controls) if asked.mapping else None
    found = rows(
        evidence,
        wanted,
        mappings,
        mapping_file=asked.mapping,
        gold=_gold(evidence),
        policies=_policies(dataset, settings),
    )
    if not any(it.rows for it in found.controls):
        why = ", ".join(f"{n:,} {why}" for why, n in found.dropped.items())
        raise NotEnoughLabels(
            f"No label is left to export: {why}.", mend="Mark instead of leaving out, lower --sure, or map more labels."
        )
    return Export(dataset.name, found.controls, found.dropped, _about(evidence, found, wanted, asked))


def _gold(evidence: Evidence) -> frozenset[Pair]:
    """The (control, task) pairs that are gold questions, or were; none of a file, which does not tell."""
    from ml_backend.cases import all_cases
    from sdk_scripts.gold.questions import asked_since

    dataset = evidence.dataset
    if dataset.studio is None or dataset.project is None:
        return frozenset()
    return frozenset(asked_since(all_cases(dataset.studio, dataset.project, dataset.config)))


def _policies(dataset: Dataset, settings: Settings) -> Policies:
    from ml_backend.guideline_history import GuidelineHistory
    from ml_backend.labeling.results import project_key

    if dataset.project is None:
        return Policies()
    return Policies(GuidelineHistory(settings.models).of(project_key(dataset.project)))


def _about(evidence: Evidence, found: Rows, wanted: Wanted, asked: Asked) -> dict[str, Any]:
    names = [it.control.name for it in found.controls]
    used = {row.task: row for it in found.controls for row in it.rows}
    agreement = evidence.agreement.controls
    consensus = evidence.consensus
    split_of, group_of = ({task: getattr(row, name) for task, row in used.items()} for name in ("split", "group"))
    balanced = balance(split_of, group_of, wanted.shares)
    return {
        "tasks": len(evidence.tasks),
        "judged": found.judged,
        "options": {
            "gold": "marked" if wanted.mark_gold else "left out",
            "unsure": "marked" if wanted.mark_unsure else "left out",
            "sure": wanted.sure,
            "seed": wanted.seed,
            "texts": asked.texts,
        },
        "consensus": {
            name: {"method": how.method, "reason": how.reason}
            for name, how in consensus.controls.items()
            if name in names
        },
        "agreement": {name: _agreement(agreement[name]) for name in names if name in agreement},
        "annotators": _annotators(evidence, names, asked.names),
        "mapping": {name: [list(line) for line in it.table] for name, it in found.mappings.items() if name in names}
        if asked.mapping
        else {},
        "mapping_file": asked.mapping.name if asked.mapping else "",
        "dropped": {name: dict(why) for name, why in found.by_control.items()},
        "balance": {**asdict(balanced), "off": round(balanced.off, DIGITS)},
        "licence": asked.licence,
        "file": evidence.dataset.project is None,
        "notes": [*evidence.dataset.warnings, *filter(None, [consensus.note])],
    }


def _agreement(found: Any) -> dict[str, Any]:
    shown = ("items", "annotators", "judgements", "percent", "alpha", "alpha_low", "alpha_high")
    return {name: _rounded(getattr(found, name)) for name in shown} | {"note": found.note}


def _annotators(evidence: Evidence, controls: list[str], names: bool) -> list[dict[str, Any]]:
    """A row for each control and annotator, by when they first answered; under a number unless they are to be named,
    which tells nobody who it is, and stays the same when labels are added."""
    order = (
        evidence.judgements.filter(pl.col("annotator") != "")
        .with_columns(at=pl.coalesce("created_at", "updated_at"))
        .group_by("annotator")
        .agg(pl.col("at").min(), pl.col("annotation").min())
        .sort("at", "annotation", "annotator", nulls_last=False)
    )
    known = {who: who if names else f"annotator {number}" for number, who in enumerate(order["annotator"], start=1)}
    place = {who: number for number, who in enumerate(known)}
    found = [
        row
        for row in evidence.consensus.annotators.iter_rows(named=True)
        if row["control"] in controls and row["annotator"] in known
    ]
    found.sort(key=lambda row: (controls.index(row["control"]), place[row["annotator"]]))
    return [
        {"control": row["control"], "annotator": known[row["annotator"]]}
        | {name: _rounded(row[name]) for name in ("judgements", "quality", "low", "high")}
        for row in found
    ]


def _rounded(value: Any) -> Any:
    """A figure of the card; None for one that is not known."""
    if not isinstance(value, float):
        return value
    return None if value != value else round(value, DIGITS)


def document(export: Export) -> dict[str, Any]:
    """What the command prints, but for the files."""
    splits = {name: sum(len(it.of(name)) for it in export.controls) for name in export.about["balance"]["rows"]}
    return {
        "rows": sum(len(it.rows) for it in export.controls),
        "splits": splits,
        "dropped": dict(export.dropped),
        "judged": export.about["judged"],
        "controls": {it.control.name: _control(it, export.about) for it in export.controls},
        "balance": export.about["balance"],
    }


def _control(of: ControlSet, about: Mapping[str, Any]) -> dict[str, Any]:
    splits = {name: of.of(name) for name in about["balance"]["rows"]}
    labels = {name: Counter(label for row in rows for label in row.labels) for name, rows in splits.items()}
    return {
        "kind": of.kind,
        "rows": len(of.rows),
        "splits": {name: len(rows) for name, rows in splits.items()},
        "labels": {label: {name: labels[name][label] for name in splits} for label in of.labels},
        "provenance": dict(sorted(Counter(row.provenance for row in of.rows).items())),
        "policies": dict(sorted(Counter(row.policy for row in of.rows).items())),
        "marks": dict(sorted(Counter(mark for row in of.rows for mark in row.marks).items())),
        "dropped": about["dropped"].get(of.control.name, {}),
    }
