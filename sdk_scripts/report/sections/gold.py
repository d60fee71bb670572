"""Gold questions: how everybody answers them, and which have had their day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel

from sdk_scripts import wording
from sdk_scripts.report.model import WebAddress
from sdk_scripts.report.sections import Cell, Given, Section, Sheet, register
from sdk_scripts.tables import plain

if TYPE_CHECKING:
    from ml_backend.labeling.config import LabelConfig
    from sdk_scripts.gold.lifecycle import Retired
    from sdk_scripts.gold.questions import Question
    from sdk_scripts.gold.scores import Score


class GoldQuestion(BaseModel, frozen=True):
    task: int | None
    url: WebAddress | None
    control: str
    answer: str
    """The right one."""
    state: str
    why: str
    asked: int
    right: int
    exposures: int
    """Annotators who have seen it since it is gold."""


class GoldScore(BaseModel, frozen=True):
    annotator: str
    control: str
    asked: int
    right: int
    low: float
    """Wilson's interval of the share of right answers, by the certainty of the project's settings."""
    high: float
    verdict: str
    """passed, failed or not enough."""
    worst: int | None
    """The task of the gravest mistake."""
    url: WebAddress | None = None


class GoldPart(BaseModel, frozen=True):
    questions: list[GoldQuestion]
    scores: list[GoldScore]
    retired: int
    """Questions that have had their day, those to be retired by the next `tiebreak gold` among them."""
    days: int
    """Scores are of the answers of so many days."""
    pass_mark: float


@register("gold")
class GoldQuestions(Section):
    title = "Gold questions"
    place = 85

    def collect(self, given: Given) -> GoldPart | None:
        """None for a file, and where no case is or was gold. Raises StudioError, ConfigError."""
        from ml_backend.cases import all_cases, libraries_of
        from sdk_scripts.gold.look import Look
        from sdk_scripts.quality import quality_of

        dataset = given.evidence.dataset
        if dataset.studio is None or dataset.project is None:
            return None
        gold = quality_of(dataset.project).gold
        if not libraries_of(dataset.studio.projects(), dataset.project):
            return None
        cases = all_cases(dataset.studio, dataset.project, dataset.config)
        look = Look(dataset.project, dataset, cases, gold, dataset.studio.arms, datetime.now(UTC))
        if not look.questions:
            return None
        questions = question_rows(look.questions, look.retired, look.exposures, dataset.config, dataset.link)
        return GoldPart(
            questions=questions,
            scores=score_rows(look.scores, dataset.link),
            retired=sum(it.state in ("leaked", "contested", "worn out") for it in questions),
            days=gold.days,
            pass_mark=gold.pass_mark,
        )

    def sheets(self, part: GoldPart) -> Iterable[Sheet]:
        rows: list[list[Cell]] = [
            [it.annotator, it.control, it.asked, it.right, it.low, it.high, it.verdict] for it in part.scores
        ]
        columns = ["annotator", "control", "asked", "right", "low", "high", "verdict"]
        yield Sheet("Gold", columns, rows, shares=["low", "high"])
        columns = ["task", "control", "answer", "state", "why", "asked", "right", "seen by", "link"]
        yield Sheet(
            "Gold questions",
            columns,
            [
                [it.task, it.control, it.answer, it.state, it.why, it.asked, it.right, it.exposures, it.url or ""]
                for it in part.questions
            ],
        )


def question_rows(
    questions: Sequence[Question],
    retired: Iterable[Retired],
    exposures: Mapping[int, int],
    config: LabelConfig,
    link: Callable[[int], str | None],
) -> list[GoldQuestion]:
    """Those that something is wrong with first, then those answered wrong most often."""
    leaving = {it.question.id: it for it in retired}
    rows = []
    for it in questions:
        gone = leaving.get(it.id)
        rows.append(
            GoldQuestion(
                task=it.task,
                url=link(it.task) if it.task else None,
                control=it.case.control,
                answer=wording.show_key(config[it.case.control], it.key),
                state=gone.why if gone else it.state,
                why=plain(gone.detail if gone else it.why),
                asked=len(it.answers),
                right=sum(answer.right for answer in it.answers),
                exposures=exposures.get(it.task or 0, 0),
            )
        )
    return sorted(rows, key=lambda it: (it.state in ("gold", "new"), it.right - it.asked, it.task or 0))


def score_rows(scores: Iterable[Score], link: Callable[[int], str | None]) -> list[GoldScore]:
    """Those who failed first, then those least often right."""
    rows = []
    for it in scores:
        worst = it.mistakes[0].question.task if it.mistakes else None
        rows.append(
            GoldScore(
                annotator=plain(it.annotator),
                control=it.control,
                asked=it.asked,
                right=it.right,
                low=it.low,
                high=it.high,
                verdict=it.verdict,
                worst=worst,
                url=link(worst) if worst else None,
            )
        )
    return sorted(rows, key=lambda it: (it.verdict != "failed", it.right / it.asked, it.annotator, it.control))
