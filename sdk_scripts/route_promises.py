"""What may be promised of a task's whole answer, from what became of a version's out-of-fold opinions.

A task is right if every control on its screen is, and as sure as the least sure of them. The tier of a labelled task is
that of the severity which the *predicted* answer has: that is all that is known of a new one. Each tier, and within it
what the local model answers alone and what it answers jointly with a large one, gets a threshold of its own
(`labeling.thresholds`), and all promises hold together.

The promise is about tasks like the labelled ones. People mostly label what is doubtful, so it is not exact for the
rest, nor for what comes tomorrow: audits watch over it (`labeling.audits`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ml_backend.images import Look
from ml_backend.labeling.answers import on_screen
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.kinds import Answer, kind_of
from ml_backend.labeling.thresholds import Threshold, accept_above_by, labels_needed
from ml_backend.outcomes import Outcomes
from ml_backend.policy import Accept
from ml_backend.prelabelers import readings_of, text_hash
from sdk_scripts.risk_words import risk_words
from sdk_scripts.route_decisions import Group, unanswered
from sdk_scripts.severity import most_severe
from sdk_scripts.standards import Standard


@dataclass(frozen=True)
class Severities:
    """How bad it would be to have a task wrong, by the answers that the machine gives it."""

    config: LabelConfig
    standard: Standard

    def of(self, given: Mapping[str, Answer], risk: float = 0.0) -> tuple[float, str]:
        """The severity of these answers and of the item's risk words (0: it has none), and the control it comes from;
        an empty name where it comes from the words."""
        found = [(1.0, "")]
        if self.standard.severity and given:
            found = [(self._of(name, answer), name) for name, answer in given.items()]
        severity, control = max(found, key=lambda it: it[0])
        return (risk, "") if risk > severity else (severity, control)

    def _of(self, name: str, answer: Answer) -> float:
        kind = kind_of(self.config[name])
        return most_severe(kind.labels(answer) if kind else (), self.standard.severity)

    def risks(self, texts: Mapping[int, str]) -> dict[int, float]:
        """Task id -> severity of the risk words in its text; those without any are left out."""
        return {task: risk.severity for task, risk in risk_words(texts, self.standard.risk_words).items()}

    def of_texts(self, tasks: Iterable[Mapping[str, Any]], look: Look | None = None) -> dict[int, float]:
        """Text hash (of what any control reads) -> severity of the risk words in it, of Label Studio's tasks."""
        known = list(tasks) if self.standard.risk_words else []
        risks = self.risks(texts_of(self.config, known, look))
        risky = [task for task in known if task["id"] in risks]
        found: dict[int, float] = {}
        for control in self.config.answerable:
            for task, reading in zip(
                risky, readings_of(self.config, control, [it["data"] for it in risky], look), strict=True
            ):
                found[text_hash(reading.key)] = risks[task["id"]]
        return found


def texts_of(config: LabelConfig, tasks: Iterable[Mapping[str, Any]], look: Look | None = None) -> dict[int, str]:
    """Task id -> all the text on its screen, as hard-case signals read it; tasks without text have none."""
    asked = next(iter(config.answerable), None)
    known = list(tasks)
    if asked is None:
        return {}
    readings = readings_of(config, asked, [task["data"] for task in known], look)
    return {int(task["id"]): it.text for task, it in zip(known, readings, strict=True) if it.text}


@dataclass(frozen=True, eq=False)
class Answered:
    """What became of n labelled tasks, had the machine answered them."""

    confidence: np.ndarray
    """(n,)"""
    correct: np.ndarray
    """(n,) bool."""
    severity: np.ndarray
    """(n,) of the predicted answer."""

    def __len__(self) -> int:
        return len(self.confidence)


@dataclass(frozen=True, slots=True)
class Promise:
    """Of one group."""

    error: float
    labels: int
    threshold: Threshold | None
    needed: int | None
    """Labels that it takes, about; None where no number of them is enough."""

    def to_json(self, group: Group) -> dict[str, Any]:
        it = self.threshold
        return {
            "tier": group[0],
            "by": group[1],
            "error": self.error,
            "labels": self.labels,
            "confidence": round(it.confidence, 6) if it else None,
            "coverage": round(it.coverage, 6) if it else 0.0,
            "bound": round(it.bound, 6) if it else None,
            "labels_needed": self.needed,
        }


def promises(accept: Accept, answered: Mapping[str, Answered]) -> dict[Group, Promise]:
    """`answered` by whom: "local" or "joint"."""
    confidence: list[float] = []
    correct: list[bool] = []
    groups: list[Group] = []
    errors: dict[Group, float] = {}
    for by, rows in answered.items():
        for sure, right, severity in zip(
            rows.confidence.tolist(), rows.correct.tolist(), rows.severity.tolist(), strict=True
        ):
            if (tier := accept.tier(severity)) is not None:
                confidence.append(sure)
                correct.append(right)
                groups.append((tier.severity, by))
                errors[groups[-1]] = tier.error
    if not groups:
        return {}
    found = accept_above_by(confidence, correct, groups, errors=errors, certainty=accept.certainty, together=True)
    each = 1 - (1 - accept.certainty) / len(found)
    sure, right = np.array(confidence), np.array(correct)
    made = {}
    for group, threshold in sorted(found.items()):
        own = np.array([it == group for it in groups])
        needed = labels_needed(sure[own], right[own], error=errors[group], certainty=each)
        made[group] = Promise(errors[group], int(own.sum()), threshold, needed)
    return made


@dataclass(frozen=True)
class Joined:
    """Outcomes of single controls -> those of whole tasks."""

    config: LabelConfig
    outcomes: Mapping[str, Outcomes]
    severities: Severities
    risk: Mapping[int, float] = field(default_factory=dict)
    """Text hash -> severity of its risk words."""

    def answered(self, only: Mapping[str, Outcomes] | None = None) -> Answered:
        """With `only`, tasks that it has a row of: those rows count in place of the others of their control.

        Left out are tasks whose predicted screen has a control that no version answers, for such are never accepted;
        and tasks that people have left a control of unanswered, where the rest is right: nobody knows about it.
        """
        rows = self._rows(self.outcomes)
        if only is not None:
            others, rows = rows, self._rows(only)
            rows = {key: {**others.get(key, {}), **own} for key, own in rows.items()}
        plans: dict[tuple[tuple[str, int], ...], tuple[list[str], bool, bool, float]] = {}
        found: list[tuple[float, bool, float]] = []
        for (text, _), row in rows.items():
            known = {name: (float(of.confidence[i]), bool(of.correct[i])) for name, (of, i) in row.items()}
            codes = tuple((name, int(of.answered[i])) for name, (of, i) in row.items())
            if codes not in plans:
                plans[codes] = self._plan({name: of for name, (of, _) in row.items()}, dict(codes))
            shown, never, short, severity = plans[codes]
            right = all(known[name][1] for name in shown)
            if shown and not never and not (short and right):
                found.append((min(known[name][0] for name in shown), right, max(severity, self.risk.get(text, 0.0))))
        columns = np.array(found, np.float64).reshape(-1, 3)
        return Answered(columns[:, 0], columns[:, 1].astype(bool), columns[:, 2])

    def _rows(self, outcomes: Mapping[str, Outcomes]) -> dict[tuple[int, int], dict[str, tuple[Outcomes, int]]]:
        """(text hash, how often it came before) -> control -> its row. Controls that read different texts do not come
        together, and then nothing is promised."""
        rows: dict[tuple[int, int], dict[str, tuple[Outcomes, int]]] = {}
        for name, of in outcomes.items():
            if name not in self.config:
                continue
            times: dict[int, int] = {}
            for i, text in enumerate(of.texts.tolist()):
                times[text] = times.get(text, -1) + 1
                rows.setdefault((text, times[text]), {})[name] = (of, i)
        return rows

    def _plan(self, of: Mapping[str, Outcomes], codes: Mapping[str, int]) -> tuple[list[str], bool, bool, float]:
        """Of tasks with these predicted answers: the controls on the screen, whether it lacks one that is never
        answered, whether it lacks another, and the severity."""
        given: dict[str, Answer] = {}
        for name, code in codes.items():
            control = self.config[name]
            if (kind := kind_of(control)) is not None:  # an answer too rare to have a code stands for any
                given[name] = kind.from_key(of[name].answers[code]) if code >= 0 else kind.example(control)
        shown = on_screen(self.config, given, when_unknown=False)
        lacking = unanswered(self.config, shown)
        never = any(name not in self.outcomes for name in lacking)
        return list(shown), never, bool(lacking), self.severities.of(shown)[0]
