"""What a course asks: items whose right answer is settled, from the case library, and from the source's decided tasks
where the library is small.

Precedents are for practice, gold is for the exam, and neither is ever used for the other; decided tasks fill up both.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ml_backend.cases import DATA_KEY, Case, all_cases, case_data, policy_version
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.judgements import judgements, of_annotators
from ml_backend.labeling.kinds import finite, kind_of
from ml_backend.labeling.results import Task
from ml_backend.prelabelers import options
from sdk_scripts.settled_answers import settled_in
from sdk_scripts.severity import most_severe
from sdk_scripts.standards import Standard, standard_of

if TYPE_CHECKING:
    from ml_backend.studio import Studio

SEVERITIES = {"low": 1.0, "medium": 2.0, "high": 3.0}
"""Of a case whose severity is a word."""
UNKNOWN = 0.5
"""Difficulty of what nobody has answered."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an answer is right, in the words of those who settled it."""

    rationale: str = ""
    clause: str = ""


@dataclass(frozen=True)
class Question:
    id: str
    """`task-<id>` of a task of the source, `case-<library>-<id>` of a case that people made by hand."""
    data: Mapping[str, Any]
    answers: Mapping[str, str]
    """Control -> key of the right answer."""
    reasons: Mapping[str, Reason] = field(default_factory=dict)
    severity: float = 1.0
    """> 0; 1 is usual."""
    exam: bool = False
    """May be asked in an exam, and is no practice."""
    practice: bool = False
    """May be practised; of a decided task both are true until it is used."""
    serves: bool = False
    """As gold in the source, where anybody may be asked it."""
    people: frozenset[str] = frozenset()
    """Lower-cased e-mails of those who have answered it in the source."""
    difficulty: float = UNKNOWN
    """Share of the source's judgements that are wrong, 0–1."""
    holds: bool = True
    """Neither stale nor expired: such questions only are asked. The others are known for marking."""


@dataclass(frozen=True)
class Pool:
    """The questions of a source, read when they are needed. Raises StudioError."""

    studio: Studio
    source: Mapping[str, Any]
    config: LabelConfig
    now: datetime

    @cached_property
    def library(self) -> list[Question]:
        return read_questions(self.studio, self.source, self.config, self.now, whole=False)

    @cached_property
    def whole(self) -> list[Question]:
        """With the source's decided tasks: that takes reading all of it."""
        return read_questions(self.studio, self.source, self.config, self.now, whole=True)


def read_questions(
    studio: Studio, source: Mapping[str, Any], config: LabelConfig, now: datetime, *, whole: bool
) -> list[Question]:
    """In order of id; `whole`: with the source's decided tasks. Raises StudioError."""
    standard = standard_of(source)
    cases: dict[str, list[Case]] = {}
    for case in all_cases(studio, source, config):
        if graded(config, case.control):
            cases.setdefault(_id(case), []).append(case)
    questions = {id: _of_cases(config, standard, some, now) for id, some in cases.items()}
    known = {case.source_task for some in cases.values() for case in some if case.source_task is not None}
    tasks = studio.read(studio.tasks(source["id"]) if whole else studio.tasks(source["id"], ids=known))
    if whole:
        names = [control.name for control in config.answerable if graded(config, control.name)]
        policy = policy_version(source)
        decided: dict[int, dict[str, Any]] = {}
        for it in settled_in({task.id: task for task in tasks}, config, policy, names):
            decided.setdefault(it.task, {})[it.control] = it
        data = {task.id: task.data for task in tasks}
        for task, by_control in decided.items():
            questions.setdefault(f"task-{task}", _decided(config, standard, task, data[task], by_control, policy))
    return sorted(_with_history(questions, tasks, config), key=lambda it: it.id)


def graded(config: LabelConfig, control: str) -> bool:
    """Whether an answer to it is simply right or wrong: free words and marked spans are not."""
    return any(it.name == control and options(it) for it in config.answerable)


def shown(config: LabelConfig, data: Mapping[str, Any]) -> dict[str, Any]:
    """The data that the label config names: the rest, the answer of a case or an import say, is not theirs to see."""
    paths = re.findall(r"\$([^\s\"'<>|,]+)", config.xml)
    named = {key for key in data for path in paths if path == key or path.startswith((f"{key}.", f"{key}["))}
    return {key: value for key, value in data.items() if key in named and key != DATA_KEY}


def controls_of(wanted: Collection[str], questions: Iterable[Question], least: int) -> tuple[str, ...]:
    """Those that an exam is about: the ones wanted, else all with enough questions for one, by name."""
    counted = Counter(name for it in questions if it.exam and it.holds for name in it.answers)
    return tuple(sorted(wanted)) or tuple(sorted(name for name, n in counted.items() if n >= least))


def _id(case: Case) -> str:
    return f"case-{case.project}-{case.task}" if case.source_task is None else f"task-{case.source_task}"


def _of_cases(config: LabelConfig, standard: Standard, cases: list[Case], now: datetime) -> Question:
    good = [case for case in cases if case.state(now) == "holds"]
    gold = [case for case in good if "gold" in case.uses]
    used = gold or [case for case in good if "precedent" in case.uses]
    told = used or cases
    return Question(
        id=_id(cases[0]),
        data=told[-1].data,
        answers={case.control: _key(config, case) for case in told},
        reasons={case.control: Reason(case.rationale, case.clause) for case in told},
        severity=max(_severity(config, standard, case) for case in told),
        exam=bool(gold),
        practice=bool(used) and not gold,
        serves=any(_serves(case) for case in gold),
        holds=bool(used),
    )


def _decided(
    config: LabelConfig, standard: Standard, task: int, data: Mapping[str, Any], by_control: Mapping[str, Any], now: str
) -> Question:
    answers = {name: it.key for name, it in by_control.items()}
    return Question(
        id=f"task-{task}",
        data=data,
        answers=answers,
        reasons={name: Reason(it.rationale, it.clause) for name, it in by_control.items()},
        severity=max(_of_answer(config, standard, name, key) for name, key in answers.items()),
        exam=True,
        practice=True,
        holds=all(it.policy in ("", now) for it in by_control.values()),
    )


def _with_history(questions: Mapping[str, Question], tasks: Iterable[Task], config: LabelConfig) -> Iterable[Question]:
    """With what the source's annotators made of them."""
    theirs = [task for task in tasks if f"task-{task.id}" in questions]
    people = {f"task-{it.id}": frozenset(one.annotator.lower() for one in it.annotations) for it in theirs}
    wrong: Counter[str] = Counter()
    given: Counter[str] = Counter()
    table = of_annotators(judgements(theirs, config))
    for control, task, key in table.select("control", "task", "answer").iter_rows():
        id = f"task-{task}"
        if control in questions[id].answers:
            given[id] += 1
            wrong[id] += key != questions[id].answers[control]
    for id, it in questions.items():
        difficulty = wrong[id] / given[id] if given[id] else UNKNOWN
        yield replace(it, difficulty=difficulty, people=people.get(id, frozenset()))


def _serves(case: Case) -> bool:
    """Whether people are asked it in the source (`tiebreak gold`)."""
    asked = case_data(case.data).get("gold")
    about = asked.get(case.control) if isinstance(asked, Mapping) else None
    return isinstance(about, Mapping) and bool(about.get("since")) and not about.get("retired")


def _key(config: LabelConfig, case: Case) -> str:
    kind = kind_of(config[case.control])
    return kind.key(case.answer) if kind else ""


def _severity(config: LabelConfig, standard: Standard, case: Case) -> float:
    try:
        said = finite(float(case.severity))
    except ValueError:
        said = SEVERITIES.get(case.severity.strip().lower())
    return float(said) if said and said > 0 else _of_answer(config, standard, case.control, _key(config, case))


def _of_answer(config: LabelConfig, standard: Standard, control: str, key: str) -> float:
    kind = kind_of(config[control])
    return most_severe(kind.labels(kind.from_key(key)), standard.severity) if kind else 1.0
