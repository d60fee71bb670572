"""Where the guidelines leave room: labels that people take for each other, and how evenly they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.kinds import KINDS, kind_of
from sdk_scripts import wording
from sdk_scripts.calibration.confusions import Confusion, confused, words_of
from sdk_scripts.guideline_excerpt import Excerpt, excerpt
from sdk_scripts.report.chance import Estimate, holm

LEAST_TASKS = 5
"""In which two labels were taken for each other: of fewer nothing is said."""
LEAST_OF_PERSON = 5
"""Answers of a pair from which on a person counts as leaning."""
MOST_CONFUSIONS = 20
MOST_EXAMPLES = 3
MAX_TEXT = 200

Way = Literal["both", "between people", "too few to say"]


@dataclass(frozen=True)
class Leaning:
    annotator: str
    label: str
    """The one of the two that they give more often where both are given."""
    count: int
    of: int


@dataclass(frozen=True)
class Gap:
    """Two labels taken for each other."""

    confusion: Confusion
    share: Estimate
    """Of the tasks with two judgements."""
    way: Way
    """Whether everybody gives now one and now the other, or some always one and others always the other."""
    leanings: tuple[Leaning, ...] = ()
    """Of those who lean, the furthest first; only between people."""

    @property
    def labels(self) -> tuple[str, str]:
        return self.confusion.answers


def gaps(table: pl.DataFrame, config: LabelConfig) -> list[Gap]:
    """The most frequent first, of controls whose labels have no order. `table`: each annotator's last judgement of each
    control of each task."""
    named = [it for it in confused(table, config, {}) if (kind := kind_of(config[it.control])) and has_rules(kind.name)]
    found = [it for it in named if len(it.items) >= LEAST_TASKS][:MOST_CONFUSIONS]
    counts = [_by_person(table, it) for it in found]
    chances = [_chance(it) for it in counts]
    known = [place for place, p in enumerate(chances) if p is not None]
    apart = dict(zip(known, holm([chances[place] or 0.0 for place in known]), strict=True))
    made = []
    for place, (it, people) in enumerate(zip(found, counts, strict=True)):
        way: Way = "too few to say" if place not in apart else "between people" if apart[place] else "both"
        leanings = tuple(_leanings(it, people, config)) if way == "between people" else ()
        made.append(Gap(it, Estimate.share(len(it.items), it.of), way, leanings))
    return made


def section_of(config: LabelConfig, gap: Gap, instruction: str) -> Excerpt | None:
    """The section of the guidelines (HTML) that names the two labels; None where none does, or there are none."""
    control = config[gap.confusion.control]
    words = [word for key in gap.labels for word in words_of(control, key)]
    return excerpt(instruction, words) if instruction else None


def advice(gap: Gap, one: str, other: str, section: Excerpt | None) -> str:
    """What to do, in a sentence. `one` and `other` are the labels in words."""
    if gap.way == "between people":
        who = ", ".join(f"{wording.short(it.annotator)} ({it.label}: {it.count} of {it.of})" for it in gap.leanings[:3])
        return f"People read it differently, each by a habit of their own: settle it with {who}, then write it down."
    asked = f"say when it is {one} and when {other}"
    if section is None:
        return f"{asked[:1].upper()}{asked[1:]}: no section of the guidelines is known that names either."
    return f"Under “{section.heading or 'the beginning'}” {asked}, with the examples once they are settled."


def examples(
    table: pl.DataFrame, config: LabelConfig, gap: Gap, texts: Mapping[int, str], link: Callable[[int], str | None]
) -> list[dict[str, object]]:
    """{task, url, text, said}: tasks that most people took part in first, since they show it best."""
    control = config[gap.confusion.control]
    rows = table.filter(pl.col("control") == control.name, pl.col("task").is_in(gap.confusion.items))
    most = rows.group_by("task").len().sort("len", "task", descending=[True, False]).head(MOST_EXAMPLES)
    shown = []
    for task in most["task"]:
        counts = rows.filter(pl.col("task") == task)["answer"].value_counts()
        shown.append(
            {
                "task": task,
                "url": link(task),
                "text": wording.short(texts.get(task, ""), MAX_TEXT),
                "said": wording.votes(control, dict(counts.iter_rows())),
            }
        )
    return shown


def has_rules(kind: str) -> bool:
    """Whether labels of a kind follow rules of their own. Neighbouring stars do not: how far people are apart there is
    what alpha says."""
    return KINDS[kind].scale not in ("ordinal", "interval")


def _by_person(table: pl.DataFrame, it: Confusion) -> pl.DataFrame:
    """[annotator, one, other]: how often each gave which, in the tasks that got both; those who gave enough."""
    both = table.filter(
        pl.col("control") == it.control,
        pl.col("task").is_in(it.items),
        pl.col("answer").is_in(it.answers),
        pl.col("annotator") != "",
    )
    is_one = (pl.col("answer") == it.answers[0]).sum()
    people = both.group_by("annotator").agg(one=is_one, n=pl.len()).filter(pl.col("n") >= LEAST_OF_PERSON)
    return people.select("annotator", "one", other=pl.col("n") - pl.col("one")).sort("annotator")


def _chance(people: pl.DataFrame) -> float | None:
    """Of people differing so much in which of the two they give, were they all alike (chi-squared); None for one."""
    from scipy.special import chdtrc

    table = people.select("one", "other").to_numpy().astype(float)
    if len(table) < 2:
        return None
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    if not expected.all():
        return 1.0
    return float(chdtrc(len(table) - 1, ((table - expected) ** 2 / expected).sum()))


def _leanings(it: Confusion, people: pl.DataFrame, config: LabelConfig) -> Iterator[Leaning]:
    rows: Sequence[tuple[str, int, int]] = people.rows()
    control = config[it.control]
    for who, one, other in sorted(rows, key=lambda row: (-abs(row[1] - row[2]) / (row[1] + row[2]), row[0])):
        if one != other:
            label = it.answers[0] if one > other else it.answers[1]
            yield Leaning(who, wording.show_key(control, label), max(one, other), one + other)
