"""Which two answers people of a round take for each other, and what the guidelines have to say about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ml_backend.labeling.config import Control, LabelConfig
from ml_backend.labeling.kinds import kind_of
from ml_backend.prelabelers import options
from sdk_scripts import wording
from sdk_scripts.calibration.answers import Answers
from sdk_scripts.calibration.gold import Gold
from sdk_scripts.guideline_excerpt import excerpt

MOST_EXAMPLES = 3
MOST_SECTIONS = 5
MAX_TEXT = 200
"""Characters of an example."""


@dataclass(frozen=True)
class Confusion:
    control: str
    answers: tuple[str, str]
    """Keys."""
    items: tuple[int, ...]
    """Those that one person answered so and another so; with a known right answer first."""
    of: int
    """Tasks with two judgements or more."""


def confusions(answers: Answers, gold: Gold) -> list[Confusion]:
    """Of the controls with labels, the most frequent first."""
    return confused(answers.table, answers.config, gold)


def confused(table: pl.DataFrame, config: LabelConfig, gold: Gold) -> list[Confusion]:
    """The same of any judgements (`labeling.judgements.SCHEMA`, one a person and task)."""
    found = []
    for control in config.answerable:
        if not options(control):
            continue
        rows = table.filter(pl.col("control") == control.name).select("task", "annotator", "answer")
        several = rows.group_by("task").len().filter(pl.col("len") > 1).height
        pairs = rows.join(rows, on="task", suffix="_b").filter(pl.col("answer") < pl.col("answer_b"))
        grouped = pairs.group_by("answer", "answer_b").agg(pl.col("task").unique())
        for one, other, tasks in grouped.iter_rows():
            items = tuple(sorted(tasks, key=lambda it: ((control.name, it) not in gold, it)))
            found.append(Confusion(control.name, (one, other), items, several))
    return sorted(found, key=lambda it: (-len(it.items), it.control, it.answers))


@dataclass(frozen=True)
class Shower:
    """Puts confusions into words, for people and JSON."""

    answers: Answers
    gold: Gold
    place: Callable[[int], Mapping[str, Any]]
    """Item -> what names it: {task | case, url}."""

    def confusion(self, it: Confusion) -> dict[str, Any]:
        control = self.answers.config[it.control]
        return {
            "control": it.control,
            "labels": [wording.show_key(control, key) for key in it.answers],
            "items": len(it.items),
            "share": len(it.items) / it.of,
            "examples": [self._example(control, item) for item in it.items[:MOST_EXAMPLES]],
        }

    def sections(self, found: Sequence[Confusion], now: str) -> list[dict[str, Any]]:
        """The section of the round's guidelines that is nearest to each of the most frequent confusions, and what to do
        about it. `now`: the source's guidelines of today."""
        then, shown = self.answers.round.plan.instruction, []
        for it in found[:MOST_SECTIONS]:
            control = self.answers.config[it.control]
            words = [word for key in it.answers for word in words_of(control, key)]
            section, today = excerpt(then, words), excerpt(now, words)
            one, other = (wording.show_key(control, key) for key in it.answers)
            asked = f"say when it is {one} and when {other}"
            if section is None:
                do = f"The guidelines name neither: add a section and {asked}."
            elif today is not None and today.text != section.text:
                do = "It has been changed since; the next round tells whether that was enough."
            else:
                do = f"Here {asked}; take the examples into it once they are settled."
            shown.append(
                {
                    "control": it.control,
                    "labels": [one, other],
                    "section": section.heading if section else None,
                    "text": section.text if section else "",
                    "reason": f"{one} and {other} were taken for each other in {len(it.items)} of {it.of} tasks",
                    "do": do,
                    "examples": [self._example(control, item) for item in it.items[:MOST_EXAMPLES]],
                }
            )
        return shown

    def _example(self, control: Control, item: int) -> dict[str, Any]:
        rows = self.answers.table.filter((pl.col("control") == control.name) & (pl.col("task") == item))
        known = self.gold.get((control.name, item))
        return {
            **self.place(item),
            "text": wording.short(self.answers.texts.get(item, ""), MAX_TEXT),
            "said": {
                who: wording.show_key(control, key)
                for who, key in sorted(rows.select("annotator", "answer").iter_rows())
            },
            "gold": None if known is None else wording.show_key(control, known),
        }


def words_of(control: Control, key: str) -> list[str]:
    """What the guidelines may call an answer: its labels as results hold them and as the screen shows them."""
    kind = kind_of(control)
    names = set(kind.labels(kind.from_key(key))) if kind else set()
    found = [word for it in control.labels if names & {it.key, " / ".join(it.path)} for word in (it.text, it.path[-1])]
    spoken = [re.sub(r"[_.-]+", " ", word).strip() for word in found]
    return list(dict.fromkeys([*found, *spoken]))
