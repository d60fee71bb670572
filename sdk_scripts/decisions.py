"""What reviewers decided, read off the tasks of a review project.

Everybody signed in to Label Studio can edit a task's data, so nothing in it is believed: what does not hold together is
named, and nothing is written on its word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import finite, string
from ml_backend.labeling.results import Annotation, read_annotation, read_time
from sdk_scripts.review_options import OTHER
from sdk_scripts.reviewers import Case, case_of, reviewer_of

CAUSES = {
    "annotator_error": "annotator error",
    "ambiguous_item": "ambiguous item",
    "guideline_gap": "guideline gap",
    "model_error": "model error",
}
"""Aliases of the review project's label config -> words."""
MAX_RATIONALE, MAX_CLAUSE = 2_000, 300
"""Characters that are kept."""
MAX_ANSWER = 20_000
"""Characters of an answer in the reviewer's own words; a longer one is no answer."""
SURE = 0.5
"""A consensus of at most this confidence is a tie."""


@dataclass(frozen=True, slots=True)
class Vote:
    """An annotator's answer as it was when the review task was made."""

    annotation: int
    control: str
    answer: str
    """The kind's key."""
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Review:
    """A review task: one seat of one case."""

    project: int
    """The review project."""
    task: int
    source: int
    """The source project."""
    source_created: str
    """When the source project was made, as Label Studio writes it; "" where that was not written down."""
    source_task: int
    control: str
    round: int
    """1; one more for each appeal."""
    seat: int
    seats: int
    """How many decide the case in this round."""
    assigned: str
    """Lower-cased e-mail of whom it is for; "" for anybody."""
    options: Mapping[str, str]
    """What the reviewer reads -> the kind's key of the answer."""
    votes: tuple[Vote, ...]
    consensus: tuple[str, float] | None
    """The consensus as it was: key and confidence; None where nobody had answered."""
    reasons: Mapping[str, float]
    """Signal -> its score for the control, 0–1."""
    severity: float
    standard: str
    policy: str
    """The version of the guidelines it was made under; "" where that was not written down."""
    data: Mapping[str, Any] = field(repr=False)

    @property
    def case(self) -> tuple[int, str]:
        return self.source_task, self.control

    @property
    def was(self) -> str | None:
        """The answer on record, as the kind's key. A tie is none: there is nothing yet that could be overturned."""
        return self.consensus[0] if self.consensus and self.consensus[1] > SURE else None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer a reviewer gave to a review task."""

    review: Review
    annotation: int
    key: str | None
    """The kind's key of the answer; None for "None of these"."""
    text: str
    """The answer in the reviewer's words, where it is none of those offered."""
    cause: str
    """A key of CAUSES, or ""."""
    rationale: str
    clause: str
    keep: bool
    reviewer: str
    """E-mail, or the user id as text."""
    user: int | None
    at: datetime | None

    @property
    def name(self) -> str:
        """`<review project>/<review task>/<annotation>`: what the source's annotation refers to."""
        return f"{self.review.project}/{self.review.task}/{self.annotation}"


@dataclass(frozen=True, slots=True)
class Seated:
    """A review task with what became of it."""

    review: Review
    decision: Decision | None = None
    skipped: bool = False
    """Somebody skipped it and nobody decided it."""
    problem: str = ""
    """Why what was decided says nothing, in a sentence."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A task of the review project whose data do not say what was to be decided."""

    task: int
    source_task: int | None
    control: str
    why: str


def read_reviews(
    tasks: Iterable[Mapping[str, Any]], annotators: Mapping[int, str]
) -> tuple[list[Seated], list[Unreadable]]:
    """The review tasks, as Label Studio returns them with annotations, in their order; `annotators`: user id -> e-mail.

    Several people may have answered one task: the newest answer of whom it is assigned to counts, else the newest of
    anybody.
    """
    read: list[Seated] = []
    unreadable: list[Unreadable] = []
    for task in tasks:
        found = _review(task)
        if isinstance(found, Unreadable):
            unreadable.append(found)
        else:
            read.append(_seated(found, task, annotators))
    return read, unreadable


def read_decisions(tasks: Iterable[Mapping[str, Any]], annotators: Mapping[int, str]) -> list[Decision]:
    """The decisions among them."""
    return [seated.decision for seated in read_reviews(tasks, annotators)[0] if seated.decision]


def outcomes(decisions: Iterable[Decision]) -> Iterator[tuple[Mapping[str, float], bool]]:
    """For each case that is decided: the signals that had named it, with their scores (0–1), and whether the decision,
    after all appeals, overturned the consensus on record. The weights of the signals are learned from it.

    Left out are cases without an answer on record, ties (at least half of the votes were wrong whatever was decided, so
    they cannot tell a signal that is right from one that is not), and cases whose reviewers do not agree.
    """
    cases: dict[tuple[int, str], list[Decision]] = {}
    for decision in sorted(decisions, key=lambda it: (it.review.round, it.review.seat, it.review.task)):
        cases.setdefault(decision.review.case, []).append(decision)
    for rounds in cases.values():
        first, newest = rounds[0].review, rounds[-1].review.round
        final = [decision.key for decision in rounds if decision.review.round == newest]
        key = max(final, key=final.count)
        if first.was is not None and 2 * final.count(key) > len(final):
            yield first.reasons, key != first.was


def distributed(review: Review, barred: Iterable[str], seated: Iterable[tuple[int, str]] = ()) -> Case:
    """The review's case as distribution knows it; `barred`: e-mails of those who may not decide it. Raises InputError
    for data that people have made unreadable."""
    try:
        return case_of({**review.data, "severity": review.severity}, barred, seated)
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            f"The data of review task {review.task} cannot be read.", mend="Delete it, or have it made anew."
        ) from None


def _review(task: Mapping[str, Any]) -> Review | Unreadable:
    data = task.get("data")
    data = data if isinstance(data, Mapping) else {}
    kept = data.get("tiebreak")
    kept = kept if isinstance(kept, Mapping) else {}
    source = kept.get("source")
    source = source if isinstance(source, Mapping) else {}
    control = string(data.get("control")) or ""
    source_task = _id(data.get("source_task"))

    def unreadable(why: str) -> Unreadable:
        return Unreadable(task["id"], source_task, control, why)

    project = _id(data.get("source_project"))
    if project is None or source_task is None or not control:
        return unreadable("Its data do not say which task and control it is about.")
    if (source.get("project"), source.get("task"), kept.get("control")) != (project, source_task, control):
        return unreadable("Its data contradict themselves about which task and control it is about.")
    options = kept.get("options")
    if not isinstance(options, Mapping) or not all(isinstance(key, str) for key in options.values()):
        return unreadable("Its data do not say which answers its options stand for.")
    round_, seat = _id(data.get("round", 1)), _id(data.get("seat", 1))
    if round_ is None or seat is None:
        return unreadable("Its round or its seat is no number from 1 up.")
    severity = finite(data.get("severity"))
    return Review(
        project=_id(task.get("project")) or 0,
        task=task["id"],
        source=project,
        source_created=string(source.get("created_at")) or "",
        source_task=source_task,
        control=control,
        round=round_,
        seat=seat,
        seats=_id(kept.get("seats")) or 1,
        assigned=reviewer_of(data),
        options=options,
        votes=tuple(_votes(kept.get("votes"))),
        consensus=_consensus(kept.get("consensus")),
        reasons=dict(_reasons(kept.get("reasons"), control)),
        severity=float(severity) if severity is not None and severity > 0 else 1.0,
        standard=string(data.get("standard")) or "",
        policy=string(kept.get("policy")) or "",
        data=data,
    )


def _seated(review: Review, task: Mapping[str, Any], annotators: Mapping[int, str]) -> Seated:
    listed = task.get("annotations")
    given = [
        (read_annotation(one, annotators), one)
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, Mapping) and isinstance(one.get("result"), list)
    ]
    decided = [(one, json) for one, json in given if not one.cancelled]
    if not decided:
        return Seated(review, skipped=bool(given))
    theirs = [pair for pair in decided if pair[0].annotator.lower() == review.assigned]
    newest, json = max(theirs or decided, key=lambda pair: (_age(pair[0]), pair[0].id))
    options = _chosen(newest, "decision")
    if len(options) != 1:
        return Seated(review, problem="No answer is chosen.")
    if options[0] != OTHER and options[0] not in review.options:
        return Seated(review, problem="The answer chosen is none of those that the task offers.")
    text = _text(newest, "decision_text")
    if options[0] == OTHER and len(text) > MAX_ANSWER:
        return Seated(review, problem=f"The answer has over {MAX_ANSWER:,} characters.")
    causes = _chosen(newest, "cause")
    decision = Decision(
        review=review,
        annotation=newest.id,
        key=None if options[0] == OTHER else review.options[options[0]],
        text=text if options[0] == OTHER else "",
        cause=causes[0] if len(causes) == 1 and causes[0] in CAUSES else "",
        rationale=_text(newest, "rationale")[:MAX_RATIONALE],
        clause=" ".join(_text(newest, "policy_clause").split())[:MAX_CLAUSE],
        keep="keep" in _chosen(newest, "keep"),
        reviewer=newest.annotator,
        user=_user(json.get("completed_by")),
        at=newest.updated_at or newest.created_at,
    )
    return Seated(review, decision)


def _age(annotation: Annotation) -> datetime:
    return annotation.updated_at or annotation.created_at or datetime.min.replace(tzinfo=UTC)


def _votes(value: Any) -> Iterator[Vote]:
    for vote in value if isinstance(value, list) else ():
        if not isinstance(vote, Mapping):
            continue
        annotation, control, answer = _id(vote.get("annotation")), string(vote.get("control")), vote.get("answer")
        if annotation is not None and control and isinstance(answer, str):
            yield Vote(annotation, control, answer, read_time(vote.get("at")))


def _consensus(value: Any) -> tuple[str, float] | None:
    if not isinstance(value, Mapping):
        return None
    answer, confidence = value.get("answer"), finite(value.get("confidence"))
    return (answer, float(confidence)) if isinstance(answer, str) and confidence is not None else None


def _reasons(value: Any, control: str) -> Iterator[tuple[str, float]]:
    for reason in value if isinstance(value, list) else ():
        if not isinstance(reason, Mapping) or reason.get("control") != control:
            continue
        signal, score = string(reason.get("signal")), finite(reason.get("score"))
        if signal and score is not None and 0 <= score <= 1:
            yield signal, float(score)


def _values(annotation: Annotation, control: str) -> Iterator[Mapping[str, Any]]:
    return (region["value"] for region in annotation.regions if region.get("from_name") == control)


def _chosen(annotation: Annotation, control: str) -> list[str]:
    picked = (value.get("choices") for value in _values(annotation, control))
    return [one for choices in picked if isinstance(choices, list) for one in choices if isinstance(one, str)]


def _text(annotation: Annotation, control: str) -> str:
    """One text, whatever it was typed as; without what a database cannot hold."""
    lines: list[str] = []
    for value in _values(annotation, control):
        texts = value.get("text")
        lines += [string(one) or "" for one in (texts if isinstance(texts, list) else [texts])]
    return "\n".join(lines).replace("\x00", "").strip()


def _id(value: Any) -> int | None:
    """A number from 1 up that Label Studio's columns hold: PostgreSQL fails on a larger one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31 else None


def _user(value: Any) -> int | None:
    return _id(value.get("id") if isinstance(value, Mapping) else value)
