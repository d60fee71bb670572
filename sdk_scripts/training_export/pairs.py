"""What is known of each (control, task) that anybody or the machine answered, whatever its labels are mapped to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from ml_backend.labeling.judgements import decisions

if TYPE_CHECKING:
    from datetime import datetime

    from sdk_scripts.evidence import Evidence

Pair = tuple[str, int]
PAIR = ("control", "task")
_AT = pl.coalesce("updated_at", "created_at")
_ASSISTED = pl.col("shown").is_not_null() | pl.col("changed").is_not_null()


@dataclass(frozen=True)
class Policies:
    """Which version of the guidelines held when."""

    since: Sequence[tuple[datetime, str]] = ()
    """In order of time."""

    def at(self, when: datetime | None) -> str:
        """Empty for a time before the first that is known, and for none."""
        known = [version for start, version in self.since if when is not None and start <= when]
        return known[-1] if known else ""


@dataclass(frozen=True)
class Pairs:
    """What is known of each pair, whatever the mapping."""

    evidence: Evidence
    gold: frozenset[Pair] = frozenset()
    policies: Policies = field(default_factory=Policies)

    @cached_property
    def table(self) -> pl.DataFrame:
        """A row for each answered pair, in order of control and task: answer, confidence, tied (null where nobody's
        answer stands), judgements, quality, assisted, reviewed, machine, at."""
        every, people = self.evidence.all_judgements, self.evidence.judgements
        quality = self.evidence.consensus.annotators.select("annotator", "control", pl.col("quality").fill_nan(None))
        by_people = (
            people.join(quality, on=["annotator", "control"], how="left")
            .group_by(PAIR)
            .agg(pl.col("quality").mean(), _ASSISTED.any().alias("assisted"), _AT.max().alias("at"))
        )
        decided = decisions(every).select(*PAIR, decided_at=_AT, reviewed=pl.lit(True), decision="annotation")
        by_machine = (
            every.filter("machine")
            .sort(_AT, "annotation", nulls_last=False)
            .unique(PAIR, keep="last")
            .select(*PAIR, machine_answer="answer", machine_at=_AT, machine="annotation")
        )
        void = every.group_by(PAIR).agg(pl.col("void").fill_null(False).all())
        found = void.join(self.evidence.consensus.items, on=PAIR, how="left")
        for more in (by_people, decided, by_machine):
            found = found.join(more, on=PAIR, how="left")
        return found.sort(PAIR)

    def of(self, control: str) -> pl.DataFrame:
        return self.table.filter(control=control)

    @cached_property
    def said(self) -> dict[str, dict[int, list[str]]]:
        """Control -> task -> keys of the judgements."""
        found: dict[str, dict[int, list[str]]] = {}
        for control, task, answer in self.evidence.judgements.select(*PAIR, "answer").iter_rows():
            found.setdefault(control, {}).setdefault(task, []).append(answer)
        return found

    def mark(self, task: int, annotation: int, control: str) -> Mapping[str, Any]:
        """What a review or the machine noted on its answer."""
        for one in self.evidence.tasks[task].annotations:
            for region in one.regions if one.id == annotation else ():
                meta = region.get("meta")
                about = meta.get("tiebreak") if isinstance(meta, Mapping) else None
                if region.get("from_name") == control and isinstance(about, Mapping):
                    return about
        return {}
