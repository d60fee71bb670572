"""Labels -> export rows: what people settled on, in training labels, with where it comes from.

Every pair of task and control that anybody or the machine answered becomes a row or is dropped for one reason:

    seeded     all that was answered is a wrong answer shown on purpose, or under a seal that cannot be opened
    unsettled  what is left was replaced: a decision that was taken back
    mapping    the mapping drops its labels
    gold       a gold question, now or before: models trained on it would give the answer away to those it measures
    unsure     tied, or a confidence below the bar
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from ml_backend.labeling.errors import NotEnoughLabels, UnknownName
from ml_backend.labeling.kinds import Answer, Kind, kind_of
from sdk_scripts.training_export.groups import content_of, groups_of
from sdk_scripts.training_export.mapping import ControlMapping, Unmapped, same
from sdk_scripts.training_export.mapping_file import refuse, unmapped
from sdk_scripts.training_export.model import SPLITS, ControlSet, Row
from sdk_scripts.training_export.pairs import PAIR, Pair, Pairs, Policies
from sdk_scripts.training_export.screen import Columns, Screen
from sdk_scripts.training_export.soft_labels import DIGITS, Settled, Soft, soft_labels
from sdk_scripts.training_export.split import SHARES, Event, splits_of

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from ml_backend.labeling.config import Control
    from sdk_scripts.evidence import Evidence

SURE = 0.5


@dataclass(frozen=True)
class Wanted:
    """What is exported, and how."""

    controls: tuple[str, ...] = ()
    """Empty: all."""
    shares: tuple[float, ...] = SHARES
    seed: int = 0
    columns: tuple[str, ...] = ()
    """Of task data, beside those on the screen."""
    mark_gold: bool = False
    """Marked instead of dropped; so `mark_unsure`."""
    mark_unsure: bool = False
    sure: float = SURE
    """Confidence from which on a label counts as settled."""


@dataclass(frozen=True)
class Rows:
    controls: tuple[ControlSet, ...]
    dropped: Mapping[str, int]
    by_control: Mapping[str, Mapping[str, int]]
    """Control -> why -> pairs dropped."""
    judged: int
    """Pairs that anybody or the machine answered."""
    mappings: Mapping[str, ControlMapping]


def controls_of(evidence: Evidence, names: Sequence[str] = ()) -> list[Control]:
    """The controls to export, in the config's order. Raises UnknownName."""
    beside = {it.name for it in evidence.config.labels_beside.values()}  # answered through their <Rectangle>
    asked = (it for it in evidence.config.answerable if it.name not in beside)
    known = {it.name: it for it in asked if kind_of(it) is not None}
    for name in names:
        if name not in known:
            raise UnknownName("control", name, list(known), mend="Name one that asks about the task as a whole.")
    return [it for name, it in known.items() if not names or name in names]


def rows(
    evidence: Evidence,
    wanted: Wanted,
    mappings: Mapping[str, ControlMapping] | None = None,
    *,
    mapping_file: Path | None = None,
    gold: frozenset[Pair] = frozenset(),
    policies: Policies | None = None,
) -> Rows:
    """The rows of each control that was answered, in order of task. Raises NotEnoughLabels without any label,
    UnknownName for a control, ConfigError for a label of the data that the mapping leaves out."""
    controls = controls_of(evidence, wanted.controls)
    mappings = mappings or {it.name: same(evidence.config, it) for it in controls}
    answered = evidence.all_judgements.filter(pl.col("control").is_in([it.name for it in controls]))
    if answered.is_empty():
        raise NotEnoughLabels("There are no labels to export.", mend="Label some tasks first.")
    pairs = Pairs(evidence, gold, policies or Policies())
    columns = Columns.of(evidence.config, evidence.tasks.values(), wanted.columns)
    groups = groups_of(evidence)
    split_of = _splits(evidence, groups, wanted)
    sets, dropped, wrong = [], {}, []
    for control in controls:
        mapping, kind = mappings[control.name], cast("Kind", kind_of(control))
        reader = _Reader(pairs, control, kind, mapping, wanted, columns, groups, split_of)
        try:
            made = list(reader.rows())
        except Unmapped as missing:
            wrong += unmapped(mapping_file, mapping, {missing.label, *reader.unmapped()})
            continue
        if not made and not reader.dropped:
            continue
        names = dict.fromkeys((*mapping.names, *sorted({it for row in made for it in (*row.labels, *row.soft)})))
        sets.append(ControlSet(control, kind.name, tuple(names), tuple(made)))
        dropped[control.name] = dict(sorted(reader.dropped.items()))
    refuse(wrong)
    total: Counter[str] = Counter()
    for found in dropped.values():
        total.update(found)
    judged = answered.select(PAIR).unique().height
    return Rows(tuple(sets), dict(sorted(total.items())), dropped, judged, mappings)


@dataclass
class _Reader:
    """The rows of one control."""

    pairs: Pairs
    control: Control
    kind: Kind
    mapping: ControlMapping
    wanted: Wanted
    columns: Columns
    groups: Mapping[int, int]
    split_of: Mapping[int, str]
    dropped: Counter[str] = field(default_factory=Counter)

    def rows(self) -> Iterator[Row]:
        """Raises Unmapped."""
        evidence = self.pairs.evidence
        soft = soft_labels(evidence, self.control, self.mapping)
        screen = Screen.of(evidence.config, self.control)
        for pair in self.pairs.of(self.control.name).iter_rows(named=True):
            found = self._settled(pair, soft)
            if isinstance(found, str):
                self.dropped[found] += 1
                continue
            marks = self._marks(pair, found)
            if why := next((it for it in ("gold", "unsure") if it in marks and not self._keeps(it)), ""):
                self.dropped[why] += 1
                continue
            yield self._row(pair, found, marks, screen)

    def unmapped(self) -> list[str]:
        """Labels of the control's answers that the mapping says nothing about."""
        keys = self.pairs.evidence.all_judgements.filter(control=self.control.name)["answer"].unique().to_list()
        found = []
        for label in {label for key in keys for label in self.kind.labels(self.kind.from_key(key))}:
            try:
                self.mapping.training(label)
            except Unmapped:
                found.append(label)
        return found

    def _settled(self, pair: Mapping[str, Any], soft: Soft) -> Settled | str:
        """What a pair's label is, or why it has none."""
        if pair["answer"] is not None:
            answer = self._answer(pair["answer"])
            labels = self._labels(pair["answer"])
            settled = Settled(pair["answer"], answer, labels, float(pair["confidence"]), bool(pair["tied"]))
            if pair["reviewed"]:
                settled = soft.known(settled)
            else:
                settled = soft.settle(pair["task"], settled, {self._labels(key) for key in self._said(pair["task"])})
        elif pair["machine"] is not None:
            mark = self.pairs.mark(pair["task"], pair["machine"], self.control.name)
            confidence = mark.get("confidence")
            sure = float(confidence) if isinstance(confidence, int | float) else 0.0
            key = pair["machine_answer"]
            settled = Settled(key, self._answer(key), self._labels(key), sure, False)
        else:
            return "seeded" if pair["void"] else "unsettled"
        if self._dropped(settled):
            return "mapping"
        return settled

    def _dropped(self, settled: Settled) -> bool:
        return not settled.labels and bool(self.mapping.bins or self.kind.labels(settled.answer))

    def _marks(self, pair: Mapping[str, Any], settled: Settled) -> frozenset[str]:
        marks = {"gold"} if (self.control.name, pair["task"]) in self.pairs.gold else set()
        if settled.tied or settled.confidence < self.wanted.sure:
            marks.add("unsure")
        return frozenset(marks)

    def _keeps(self, mark: str) -> bool:
        return self.wanted.mark_gold if mark == "gold" else self.wanted.mark_unsure

    def _row(self, pair: Mapping[str, Any], settled: Settled, marks: frozenset[str], screen: Screen) -> Row:
        task = self.pairs.evidence.tasks[pair["task"]]
        said = self._said(task.id)
        text = screen.text(task)
        regions, unplaced = self._regions(settled.answer, task, text, screen)
        provenance, at = self._provenance(pair)
        reviewed = pair["reviewed"]
        policy = (
            str(self.pairs.mark(task.id, pair["decision"], self.control.name).get("policy") or "") if reviewed else ""
        )
        return Row(
            task=task.id,
            data=self.columns.data(task),
            text=text,
            images=screen.images(task),
            answer=settled.answer,
            labels=settled.labels,
            soft={name: round(value, DIGITS) for name, value in settled.soft.items()},
            confidence=round(settled.confidence, DIGITS),
            judgements=len(said),
            agreement=round(self._agreement(said, settled), DIGITS) if len(said) > 1 else None,
            quality=None if pair["quality"] is None else round(pair["quality"], DIGITS),
            provenance=provenance,
            policy=policy or self.pairs.policies.at(at),
            labelled_at="" if at is None else at.isoformat(timespec="milliseconds"),
            group=self.groups[task.id],
            split=self.split_of[task.id],
            marks=marks,
            regions=regions,
            unplaced=unplaced,
        )

    def _provenance(self, pair: Mapping[str, Any]) -> tuple[str, datetime | None]:
        if pair["reviewed"]:
            return "reviewed", pair["decided_at"]
        if pair["answer"] is None:
            return "machine", pair["machine_at"]
        return ("machine-assisted" if pair["assisted"] else "human"), pair["at"]

    def _agreement(self, said: Sequence[str], settled: Settled) -> float:
        if self.kind.name in ("choices", "taxonomy", "rating", "pairwise") or self.mapping.bins:
            same = sum(self._labels(key) == settled.labels for key in said)
        else:
            same = sum(key == settled.key for key in said)
        return same / len(said)

    def _regions(self, answer: Answer, task: Any, text: str, screen: Screen) -> tuple[tuple[Any, ...], int]:
        """Under training labels; and how many spans have no place in the text."""
        if self.kind.name not in ("spans", "boxes"):
            return (), 0
        marks = cast("tuple[Any, ...]", answer)
        placed = screen.placed(task, marks, text) if self.kind.name == "spans" else marks
        mapped = ((it, self.mapping.of(it.labels)) for it in placed)
        regions = tuple(replace(it, labels=labels) for it, labels in mapped if labels or not it.labels)
        return regions, len(marks) - len(placed)

    def _said(self, task: int) -> list[str]:
        return self.pairs.said.get(self.control.name, {}).get(task, [])

    def _answer(self, key: str) -> Answer:
        if key not in self._answers:
            self._answers[key] = self.kind.from_key(key)
        return self._answers[key]

    def _labels(self, key: str) -> tuple[str, ...]:
        if key not in self._known:
            self._known[key] = self.mapping.of_answer(self._answer(key))
        return self._known[key]

    @cached_property
    def _answers(self) -> dict[str, Answer]:
        return {}

    @cached_property
    def _known(self) -> dict[str, tuple[str, ...]]:
        return {}


def _splits(evidence: Evidence, groups: Mapping[int, int], wanted: Wanted) -> dict[int, str]:
    """Task -> split, of all tasks that anybody or the machine answered, by the first answers to all controls."""
    kinds = {control.name: kind for control in evidence.config.answerable if (kind := kind_of(control))}
    first = (
        evidence.all_judgements.filter(~pl.col("void").fill_null(False))
        .with_columns(at=pl.coalesce("created_at", "updated_at").dt.epoch("ms").fill_null(-1))
        .sort("at", "annotation")
        .unique(PAIR, keep="first", maintain_order=True)
        .select(*PAIR, "answer", "at", "annotation")
    )
    labels: dict[tuple[str, str], tuple[str, ...]] = {}
    events = []
    for control, task, key, at, annotation in first.iter_rows():
        if (control, key) not in labels:
            kind = kinds[control]
            labels[control, key] = kind.labels(kind.from_key(key)) or ("",)
        events += [Event((at, annotation), groups[task], (control, label)) for label in labels[control, key]]
    content = {group: content_of(evidence, group) for group in {event.group for event in events}}
    places = splits_of(events, content, wanted.shares, wanted.seed)
    return {task: SPLITS[places[group]] for task, group in groups.items() if group in places}
