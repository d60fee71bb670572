"""`tiebreak reopen`: a case is decided once more, by people who have not sat on it.

It is one that is resolved, or whose decision could not be written because of a conflict. A new round of review tasks
shows what the annotators say by now, the earlier decision, and why it is appealed. The ground truth stands until the
new round has decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import structs

from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import finite, kind_of
from ml_backend.labeling.results import Task, read_task
from sdk_scripts import wording
from sdk_scripts.decisions import CAUSES, Review, Seated, distributed, read_reviews
from sdk_scripts.evidence import Evidence
from sdk_scripts.ground_truth import SourceTask, Write
from sdk_scripts.hard_cases import HardCase, Reason
from sdk_scripts.review_cases import CaseFacts, judged_by
from sdk_scripts.review_options import MAX_LABEL, OTHER
from sdk_scripts.review_project import ReviewProject
from sdk_scripts.review_tasks import build_review_tasks, reseated
from sdk_scripts.reviewers import Seat, distribute, load_of
from sdk_scripts.sources import Dataset
from sdk_scripts.standards import Standard, standard_of
from sdk_scripts.verdicts import MOST_SEATS, Decided, Split, Verdict, Waiting, by_case, verdict

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio

MAX_WHY = 1_000
"""Characters of the reason of an appeal."""
_AS_BEFORE = ("model", "precedents")


@dataclass(frozen=True, slots=True)
class Reopened:
    task: int
    control: str
    round: int
    reviewers: tuple[str, ...]
    """E-mails, one a seat; "" for anybody."""
    existing: bool
    """Whether the round was there already."""
    applied: bool

    @property
    def pending(self) -> bool:
        return not (self.applied or self.existing)

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "control": self.control,
            "round": self.round,
            "reviewers": list(self.reviewers),
            "existing": self.existing,
            "applied": self.applied,
        }


def reopen(
    studio: Studio,
    project: Mapping[str, Any],
    settings: Settings,
    task: int,
    why: str,
    *,
    control: str | None = None,
    apply: bool = False,
    report: Callable[[str], object] = lambda message: None,
) -> Reopened:
    """Reopen the case of a source task; `control` where the task has several. A case that is open already is left so.

    Raises InputError where nothing is decided yet, a decision waits to be written, or nobody is left to decide.
    """
    words = why.strip()[:MAX_WHY]
    if not words:
        raise InputError("An appeal needs a reason.", mend="Say it with --why; the next reviewer will read it.")
    reviews = ReviewProject(studio, project, standard_of(project), settings)
    with reviews.alone() if apply else nullcontext():
        where = reviews.find()
        there = list(studio.tasks(where)) if where is not None else []
        annotators = studio.annotators()
        cases = by_case(it for it in read_reviews(there, annotators)[0] if it.review.source == project["id"])
        case, rows = _case(cases, task, control)
        source = next(studio.tasks(project["id"], ids=[task]), None)
        if source is None:
            raise InputError(
                f"Project {project['id']} has no task {task} any more.", mend="Delete its review tasks, too."
            )
        appeal = _Appeal(project, studio, reviews.standard, source, case[1], rows, annotators, words)
        newest = rows[-1].review.round
        if isinstance(appeal.said, Waiting | Split):
            if newest == 1:
                raise InputError(f"Task {task} has no decision about {case[1]!r} yet.", mend="Its reviews are open.")
            sitting = tuple(it.review.assigned for it in rows if it.review.round == newest)
            return Reopened(task, case[1], newest, sitting, existing=True, applied=apply)
        if appeal.to_be_written:
            raise InputError(
                f"The decision about task {task} is not written yet, so there is nothing to appeal.",
                mend=f"Run `tiebreak resolve {project['id']} --apply` first.",
            )
        seats = appeal.seats(there)
        if apply and where is not None:
            reviews.sync()
            reviews.add(where, appeal.review_tasks(seats))
            report(f"The ground truth of task {task} stands until the new round has decided.")
    return Reopened(task, case[1], newest + 1, tuple(seat.reviewer for seat in seats), existing=False, applied=apply)


def _case(
    cases: Mapping[tuple[int, str], list[Seated]], task: int, control: str | None
) -> tuple[tuple[int, str], list[Seated]]:
    found = [key for key in cases if key[0] == task and control in (None, key[1])]
    if not found:
        about = f" about {control!r}" if control else ""
        raise InputError(f"No review of task {task}{about} is there to reopen.", mend="Is it the source task's id?")
    if len(found) > 1:
        names = ", ".join(name for _, name in sorted(found))
        raise InputError(f"Task {task} has several cases: {names}.", mend="Say which with --control.")
    return found[0], cases[found[0]]


@dataclass(frozen=True)
class _Appeal:
    project: Mapping[str, Any]
    studio: Studio
    standard: Standard
    json: Mapping[str, Any]
    """The source task as Label Studio returns it."""
    control: str
    rows: Sequence[Seated]
    """The case's review tasks, in order of round and seat."""
    annotators: Mapping[int, str]
    why: str

    @cached_property
    def task(self) -> Task:
        return self.studio.arms.opened(read_task(self.json, self.annotators))

    @cached_property
    def config(self) -> LabelConfig:
        return parse(self.project["label_config"])

    @cached_property
    def source(self) -> SourceTask:
        return SourceTask(self.json, self.config, self.control)

    @cached_property
    def said(self) -> Verdict:
        return verdict(self.rows, self.config, self.task.data)

    @property
    def to_be_written(self) -> bool:
        if not isinstance(self.said, Decided):
            return False
        return isinstance(self.source.plan(self.said, self.said.decision.review.policy), Write)

    @cached_property
    def standing(self) -> str | None:
        """The key of the answer that stands; None where none does."""
        standing, kind = self.source.standing(), kind_of(self.config[self.control])
        answer = self.source.answer(standing) if standing else None
        return None if kind is None or answer is None else kind.key(answer)

    def seats(self, there: Sequence[Mapping[str, Any]]) -> list[Seat]:
        """As many as the case had. Raises InputError where nobody else can decide it now."""
        sat = {it.decision.reviewer.lower() for it in self.rows if it.decision}
        sat |= {it.review.assigned for it in self.rows} - {""}
        first = self.rows[0].review
        case = replace(distributed(first, judged_by(self.task) | sat), seats=min(first.seats, MOST_SEATS))
        seats, unplaced = distribute([case], self.standard, load_of(there, datetime.now(UTC)))
        if unplaced:
            raise InputError(
                f"Nobody else can decide task {self.task.id} again. {unplaced[0].reason}",
                mend="Name more reviewers under hard_cases in project.yaml, or wait until they have less to do.",
            )
        return seats

    def review_tasks(self, seats: Sequence[Seat]) -> list[dict[str, Any]]:
        """Made as of today, but for the model's opinion and the precedents, which are the last round's."""
        last = self.rows[-1].review
        hard = HardCase(self.task.id, float(finite(last.data.get("score")) or 0), self._reasons(last))
        judged = tuple(one for one in self.task.annotations if not one.decided)
        dataset = Dataset(
            name=str(self.project.get("title") or self.project["id"]),
            config=self.config,
            tasks=[structs.replace(self.task, annotations=judged)],
            studio=self.studio,
            project=dict(self.project),
            url=self.studio.data_manager(self.project["id"]),
        )
        (made,) = build_review_tasks(CaseFacts(Evidence(dataset)), [(hard, seats[0])])
        data, kept, before = made["data"], made["data"]["tiebreak"], last.data["tiebreak"]
        data |= {name: last.data.get(name) or "" for name in _AS_BEFORE}
        kept |= {name: before.get(name) for name in (*_AS_BEFORE, "reasons")}
        if self.standing is not None:
            kept["consensus"] = {"answer": self.standing, "confidence": 1.0}
        if self.standing is not None and self.standing not in kept["options"].values():
            label = wording.show_key(self.config[self.control], self.standing, MAX_LABEL)
            if label not in kept["options"] and label != OTHER:
                data["options"].insert(0, {"value": label, "hint": "the decision that is appealed"})
                kept["options"][label] = self.standing
        return [{"data": reseated(data, seat, round=last.round + 1, seats=len(seats))} for seat in seats]

    def _reasons(self, last: Review) -> tuple[Reason, ...]:
        """What the panel says: the appeal, the decision, without who decided, and why the case was hard."""
        appeal = Reason("appeal", 1.0, f"Reopened: {self.why}", self.control)
        decision = Reason("decision", 1.0, self._decision(), self.control)
        listed = last.data["tiebreak"].get("reasons")
        before = [
            Reason(signal, last.reasons[signal], str(it.get("detail") or ""), self.control)
            for it in (listed if isinstance(listed, list) else ())
            if isinstance(it, Mapping) and (signal := str(it.get("signal"))) in last.reasons
        ]
        return (appeal, decision, *before)

    def _decision(self) -> str:
        """In a sentence."""
        if not isinstance(self.said, Decided):
            return "Its reviewers came to no answer."
        decision, control = self.said.decision, self.config[self.control]
        about = ", ".join(filter(None, (CAUSES.get(decision.cause, ""), decision.clause)))
        said = f"It was decided to be {wording.show_key(control, self.said.key)}"
        if self.standing not in (None, self.said.key):
            said += f", and was changed to {wording.show_key(control, str(self.standing))} since"
        return said + (f" ({about})" if about else "") + (f": {decision.rationale}" if decision.rationale else "")
