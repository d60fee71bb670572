"""Gold questions: cases of the library that annotators are asked without being told.

A gold question is a task of the project like any other: the very one that was settled, opened for more annotators, or,
for a case that came from elsewhere, one made of its data. The decision stands in it as an annotation that is ground
truth, so consensus and training take it whatever people answer. Label Studio 1.23.2 was looked at as a second annotator
in Chromium: the label stream sends and shows none of others' annotations, no star and no tab, and what is on the screen
is what an ordinary task has there. What differs is the number of annotations that its API tells, and the task's id.

What becomes of a question is kept with its case, in the library's task, as `data.tiebreak_case.gold`:

    {"<control>": {"since": …, "key": <the answer>, "retired": {"at": …, "why": "leaked", "detail": …}}}

Only answers given since then count. A new answer, or being promoted to gold again, begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from ml_backend.cases import Case, case_data
from ml_backend.labeling.judgements import decisions, judgements, latest, of_annotators
from ml_backend.labeling.kinds import Kind, finite, kind_of
from ml_backend.labeling.results import Task, read_time

if TYPE_CHECKING:
    import polars as pl

    from ml_backend.labeling.config import LabelConfig
    from sdk_scripts.sources import Dataset

Why = Literal["", "leaked", "contested", "worn out"]
State = Literal["gold", "new", "stale", "expired", "disputed", "leaked", "contested", "worn out"]

RETIRED: tuple[Why, ...] = ("leaked", "contested", "worn out")
GOLD = "gold"
"""Key in a case's data of what is kept about it as a question."""
SEVERITIES = {"low": 1.0, "medium": 2.0, "high": 3.0}
"""Of a case whose severity is a word; a number is taken as it is, anything else is 1."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What an annotator answered to a gold question."""

    annotator: str
    key: str
    right: bool
    at: datetime
    seconds: float | None
    """On the whole task."""


@dataclass(frozen=True)
class Question:
    """A case as a gold question."""

    case: Case
    key: str
    """Of the right answer."""
    labels: tuple[str, ...]
    """Of the right answer; its control where answers are free."""
    task: int | None
    """In the project; None where it has to be made."""
    since: datetime | None = None
    """None: nobody has been asked yet."""
    state: State = "gold"
    why: str = ""
    """In a sentence, where the state is no good one."""
    until: datetime | None = None
    """When it was retired."""
    answers: tuple[Answered, ...] = ()
    """Those that count, in order of time: not of who decided it, and not from before it was gold."""
    decided: bool = True
    """Whether the decision stands in the task."""

    @property
    def id(self) -> tuple[str, int]:
        return self.case.control, self.task or 0

    @property
    def live(self) -> bool:
        """Whether people may be asked."""
        return self.state in ("gold", "new")

    @property
    def counts(self) -> bool:
        """Whether the answers say something about who gave them."""
        return self.state in ("gold", "worn out")

    @cached_property
    def severity(self) -> float:
        return severity_of(self.case)


@dataclass(frozen=True)
class Kept:
    """What the library keeps about a question."""

    since: datetime | None = None
    key: str = ""
    why: Why = ""
    detail: str = ""
    until: datetime | None = None
    half: bool = False
    """Its retirement was cut short."""


def kept_of(case: Case) -> Kept:
    """What people have made unreadable counts as nothing."""
    questions = case_data(case.data).get(GOLD)
    about = questions.get(case.control) if isinstance(questions, Mapping) else None
    about = about if isinstance(about, Mapping) else {}
    retired = about.get("retired")
    retired = retired if isinstance(retired, Mapping) else {}
    why = retired.get("why")
    return Kept(
        since=read_time(about.get("since")),
        key=str(about.get("key") or ""),
        why=next((it for it in RETIRED if it == why), ""),
        detail=str(retired.get("detail") or "")[:500],
        until=read_time(retired.get("at")),
        half=retired.get("half") is True,
    )


def severity_of(case: Case) -> float:
    try:
        number = finite(float(case.severity))
    except ValueError:
        number = SEVERITIES.get(case.severity.strip().lower())
    return float(number) if number is not None and number > 0 else 1.0


def asked_since(cases: Iterable[Case]) -> dict[tuple[str, int], datetime]:
    """(control, task) -> when people began to be asked, of all that ever were gold questions."""
    return {
        (case.control, case.source_task): since
        for case in cases
        if case.source_task is not None and (since := kept_of(case).since)
    }


def read_questions(cases: Iterable[Case], dataset: Dataset, now: datetime, *, near: float = 0.0) -> list[Question]:
    """The cases that are gold, or were until they were retired, in their order; of two of one task and control the
    later. Answers at most `near` (0–1, the kind's distance) from the right one are right where answers are free."""
    tasks = {task.id: task for task in dataset.tasks}
    found: dict[object, Question] = {}
    for case in cases:
        if (question := _question(case, dataset.config, tasks, now)) is not None:
            of_library = (case.project, case.task, case.control)
            found[(case.control, question.task) if question.task is not None else of_library] = question
    asked = {it.task for it in found.values() if it.task is not None}
    table = judgements([tasks[id] for id in sorted(asked)], dataset.config)
    by_question = {it.id: it for it in found.values()}
    decided = {(control, task): key for control, task, key in _decisions(table)}
    deciders = set(table.filter(table["decided"]).select("control", "task", "annotator").iter_rows())
    answers = _answers(table, by_question, deciders, dataset.config, near)
    return [_with(it, answers.get(it.id, ()), decided, dataset.config) for it in found.values()]


def _question(case: Case, config: LabelConfig, tasks: Mapping[int, Task], now: datetime) -> Question | None:
    kind = kind_of(config[case.control])
    kept = kept_of(case)
    if kind is None:
        return None
    key = kind.key(case.answer)
    made = Question(
        case=case,
        key=key,
        labels=tuple(f"{case.control}: {label}" for label in kind.labels(case.answer)) or (case.control,),
        task=case.source_task if case.source_task in tasks else None,
        since=kept.since,
    )
    if "gold" not in case.uses or kept.half:
        return replace(made, state=kept.why, why=kept.detail, until=kept.until) if kept.why and made.task else None
    if (state := case.state(now)) != "holds":
        why = "It has expired." if state == "expired" else "The guidelines have changed: `tiebreak cases renew`."
        return replace(made, state=state, why=why)
    if kept.since is None or kept.why or kept.key != key:
        return replace(made, since=None, state="new")
    return made


def _with(
    question: Question,
    answers: tuple[Answered, ...],
    decided: Mapping[tuple[str, int], str],
    config: LabelConfig,
) -> Question:
    standing = decided.get(question.id)
    if question.live and standing is not None and not _same(config, question.case.control, standing, question.key):
        why = "The decision in the project is another than the case's. Change the case, or have it reopened."
        return replace(question, state="disputed", why=why)
    return replace(question, answers=answers, decided=standing is not None)


def _decisions(table: pl.DataFrame) -> Iterator[tuple[str, int, str]]:
    yield from decisions(table).select("control", "task", "answer").iter_rows()


def _answers(
    table: pl.DataFrame,
    questions: Mapping[tuple[str, int], Question],
    deciders: set[tuple[str, int, str]],
    config: LabelConfig,
    near: float,
) -> dict[tuple[str, int], tuple[Answered, ...]]:
    found: dict[tuple[str, int], list[Answered]] = {}
    for row in latest(of_annotators(table)).iter_rows(named=True):
        id, at = (row["control"], row["task"]), row["created_at"] or row["updated_at"]
        question = questions.get(id)
        if question is None or question.since is None or at is None or not row["annotator"]:
            continue
        outside = at < question.since or (question.until is not None and at > question.until)
        if outside or (*id, row["annotator"]) in deciders:
            continue
        right = _same(config, id[0], row["answer"], question.key, near)
        found.setdefault(id, []).append(Answered(row["annotator"], row["answer"], right, at, row["lead_time"]))
    return {id: tuple(sorted(them, key=lambda it: (it.at, it.annotator))) for id, them in found.items()}


def _same(config: LabelConfig, control: str, a: str, b: str, near: float = 0.0) -> bool:
    kind = kind_of(config[control])
    if a == b or kind is None:
        return a == b
    return kind.distance(kind.from_key(a), kind.from_key(b)) <= (near if _free(kind) else 0.0)


def _free(kind: Kind) -> bool:
    return kind.name in ("spans", "boxes", "text", "number")
