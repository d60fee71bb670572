"""The answer the annotators' judgements add up to, for each task and control, with its probability of being right; and
how good each annotator is.

| kind of answer | consensus |
|---|---|
| one of several (choices, pairwise) | the most probable of the answers given, under the method's model |
| several at once (multiple choices) | every label decided on its own; the joined labels |
| stars | the weighted median |
| spans, boxes | the marks that most people made, matched by overlap, at the median of their edges |
| numbers, text, taxonomy | the answer given that is nearest to all (medoid by the kind's distance) |

What a review decided is the answer, with a confidence of 1, and says how good its annotators are; its newest decision
counts. Else what everybody agrees on is the consensus. A tie has a confidence of at most 0.5 and is marked; of the tied
answers the one more common elsewhere is shown, then the first in the config's order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from ml_backend.labeling import overlap_consensus
from ml_backend.labeling.alpha import Distances
from ml_backend.labeling.annotator_agreement import wilson_interval
from ml_backend.labeling.central_answer import Central, medoid, weighted_median
from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.errors import InputError, UnknownName
from ml_backend.labeling.judgements import decisions, latest, of_annotators
from ml_backend.labeling.kinds import Kind, kind_of
from ml_backend.labeling.kinds.rating import most_stars
from ml_backend.labeling.label_probabilities import LabelProbabilities
from ml_backend.labeling.units import Coded, Floats, code
from ml_backend.labeling.vote_consensus import SHRINK, ControlConsensus, Decided, by_label, by_vote

METHODS = ("auto", "majority", "dawid-skene", "crowdlab")
ITEMS: dict[str, Any] = {
    "task": pl.Int64(),
    "control": pl.String(),
    "answer": pl.String(),  # the kind's key
    "confidence": pl.Float64(),  # probability that the answer is right, 0–1
    "judgements": pl.Int64(),
    "tied": pl.Boolean(),
}
ANNOTATORS: dict[str, Any] = {
    "annotator": pl.String(),
    "control": pl.String(),
    "quality": pl.Float64(),  # 0–1; NaN where no task of the control has two judgements, or a decision
    "low": pl.Float64(),  # 95 % interval of quality
    "high": pl.Float64(),
    "judgements": pl.Int64(),
}


@dataclass(frozen=True)
class Consensus:
    method: str
    """As asked for; `controls` says what was used for each."""
    items: pl.DataFrame
    """Columns of ITEMS, in order of control and task."""
    annotators: pl.DataFrame
    """Columns of ANNOTATORS. Quality: for votes, the probability of a judgement being right; else the mean similarity
    to the others' answers. Both are drawn towards everybody's by four pseudo-judgements."""
    controls: Mapping[str, ControlConsensus]
    probabilities: Mapping[str, LabelProbabilities] = field(default_factory=dict)
    """Of each label, for the controls whose votes are counted: what soft labels are made of."""
    single: frozenset[str] = frozenset()
    """The controls that take one label: in JSON their answer is its name, not a list of one."""
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The answers are JSON values: what the keys of the kind say."""
        items = [
            {**row, "answer": self._plain(row["control"], row["answer"])} for row in self.items.iter_rows(named=True)
        ]
        known = pl.col("quality").is_not_nan()
        weighted = (pl.col("quality") * pl.col("judgements")).filter(known).sum()
        people = (
            self.annotators.group_by("annotator")
            .agg(
                (weighted / pl.col("judgements").filter(known).sum()).alias("quality"),
                pl.col("judgements").sum(),
                pl.struct("control", "quality", "low", "high", "judgements").alias("controls"),
            )
            .sort("annotator")
        )
        return {
            "method": self.method,
            "controls": {name: found.to_json() for name, found in self.controls.items()},
            "items": items,
            "annotators": [
                {
                    **row,
                    "quality": _known(row["quality"]),
                    "controls": {
                        part["control"]: {name: _known(part[name]) for name in ("quality", "low", "high", "judgements")}
                        for part in row["controls"]
                    },
                }
                for row in people.iter_rows(named=True)
            ],
            "note": self.note,
        }

    def _plain(self, control: str, key: str) -> Any:
        answer = json.loads(key)
        return answer[0] if control in self.single and isinstance(answer, list) and len(answer) == 1 else answer


def consensus(
    table: pl.DataFrame,
    config: LabelConfig,
    *,
    method: str = "auto",
    priors: Mapping[str, LabelProbabilities] | None = None,
    seed: int = 0,
) -> Consensus:
    """The consensus of the judgements (`judgements.SCHEMA`; each annotator's last of a task counts), and of reviews'
    decisions.

    `priors` is what a model thinks that has not seen the judgements, by control. `auto` fits models of increasing
    freedom, with and without those, and takes for each control the one that makes held-out judgements most probable
    (`model_choice`); `majority` counts votes and reads its confidence off how often annotators agree; `dawid-skene` and
    `crowdlab` are crowd-kit's and cleanlab's, with their own probabilities, often too high and too low. The method
    decides about votes only: stars are a weighted median, answers with a distance a medoid, whatever it is. Raises
    UnknownName for another method, InputError for crowdlab without priors.
    """
    if method == "crowdlab" and not priors:
        raise InputError(
            "The method crowdlab comes with trained models: it needs their out-of-fold predictions.",
            mend="Label enough for a model to be trained, or use auto, majority or dawid-skene.",
        )
    if method not in METHODS:
        raise UnknownName("consensus method", method, METHODS)
    decided, rows = decisions(table), latest(of_annotators(table))
    items, people = [pl.DataFrame(schema=ITEMS)], [pl.DataFrame(schema=ANNOTATORS)]
    controls: dict[str, ControlConsensus] = {}
    probabilities: dict[str, LabelProbabilities] = {}
    alone: dict[bool, list[str]] = {False: [], True: []}  # by whether texts were read
    for control in config.answerable:
        kind = kind_of(control)
        if kind is None:
            continue
        final = decided.filter(pl.col("control") == control.name)
        coded = code(rows, control, kind, final)
        if not len(coded.unit):
            if len(final):
                controls[control.name] = ControlConsensus("decided", "Reviews decided what nobody has judged.")
                items.append(_with_decisions(pl.DataFrame(schema=ITEMS), final))
            continue
        prior = (priors or {}).get(control.name)
        how, found = _decide(coded, control, kind, method, prior, seed)
        controls[control.name] = how
        if found.probabilities:
            probabilities[control.name] = found.probabilities
        items.append(_with_decisions(_items(coded, control, found), final))
        people.append(_people(coded, control, found.quality))
        if not coded.telling.any():
            alone[how.read].append(control.name)
    rests = {False: "is an assumption", True: "rests on what the texts say"}
    note = " ".join(
        f"No task has two judgements of {', '.join(names)}: the confidence there {rests[read]}."
        for read, names in alone.items()
        if names
    )
    single = frozenset(name for name in controls if _takes_one_label(config[name]))
    return Consensus(method, pl.concat(items), pl.concat(people), controls, probabilities, single, note)


def _takes_one_label(control: Control) -> bool:
    kind = kind_of(control)
    return kind is not None and kind.name == "choices" and not control.multiple


def _decide(
    coded: Coded, control: Control, kind: Kind, method: str, prior: LabelProbabilities | None, seed: int
) -> tuple[ControlConsensus, Decided]:
    if kind.scale == "nominal":
        return (by_label if control.multiple else by_vote)(coded, control, kind, method, prior, seed)
    distances = Distances(coded.answers, kind.distance)
    central: Central
    if kind.scale == "ordinal" and coded.numbers is not None:
        central = weighted_median(coded, coded.numbers, distances, _ends(coded.numbers, control))
        keys = [kind.key(int(answer)) for answer in central.answer]
        how = ControlConsensus("median", "Stars have an order, so the middle one counts, weighted by precision.")
    else:
        central = medoid(coded, distances)
        if kind.name in overlap_consensus.KINDS:
            keys, confidence, tied = overlap_consensus.by_overlap(coded, control, kind, central)
            how = ControlConsensus("overlap", "Marks that overlap are the same, and those that most people made count.")
            return how, Decided(keys, confidence, tied, central.quality)
        keys = [coded.keys[index] for index in central.answer]
        how = ControlConsensus("medoid", "Answers can be near each other, so the most central one counts.")
    return how, Decided(keys, central.confidence, central.tied, central.quality)


def _ends(numbers: Floats, control: Control) -> tuple[float, float]:
    return min(1.0, float(numbers.min())), max(most_stars(control), float(numbers.max()))


def _items(coded: Coded, control: Control, found: Decided) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "task": coded.tasks,
            "control": [control.name] * len(coded.tasks),
            "answer": found.keys,
            "confidence": found.confidence,
            "judgements": coded.cells.per_unit,
            "tied": found.tied,
        },
        schema=ITEMS,
    )


def _with_decisions(items: pl.DataFrame, decided: pl.DataFrame) -> pl.DataFrame:
    """A control's items with reviews' decisions in place of what the judgements say, in order of task."""
    if decided.is_empty():
        return items
    by = ["task", "control"]
    final = decided.select(*by, "answer").join(items.select(*by, "judgements"), on=by, how="left")
    final = final.select(
        *by, "answer", pl.lit(1.0).alias("confidence"), pl.col("judgements").fill_null(0), pl.lit(False).alias("tied")
    )
    return pl.concat([items.join(final, on=by, how="anti"), final]).sort("task")


def _people(coded: Coded, control: Control, quality: Floats) -> pl.DataFrame:
    shared = np.bincount(coded.annotator, coded.telling[coded.unit], len(coded.annotators))
    if not shared.any():
        quality = np.full(len(quality), math.nan)
    given = np.bincount(coded.annotator, minlength=len(coded.annotators))
    rows = [
        (name, control.name, float(q), *_interval(float(q), float(n)), int(total))
        for name, q, n, total in zip(coded.annotators, quality, shared, given, strict=True)
        if name
    ]
    return pl.DataFrame(rows, schema=ANNOTATORS, orient="row")


def _interval(quality: float, shared: float) -> tuple[float, float]:
    return (math.nan, math.nan) if math.isnan(quality) else wilson_interval(quality, int(shared + SHRINK))


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
