"""A decision in the source task: a ground-truth annotation of its own, beside what annotators said.

Each of its regions bears, under `meta.tiebreak`, the record of the decision:

    review     `<review project>/<review task>/<annotation>`
    round      1, one more for each appeal
    answer     the kind's key, by which a later edit is noticed
    reviewer, cause, clause, policy (the guidelines' version), rationale

and, as `meta.text`, a sentence that Label Studio shows. No annotation is ever deleted, and none of an annotator's is
changed: a decision that another one replaces is no ground truth any more, and stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from ml_backend.labeling.answers import answers, write_answers
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import Answer, Kind, kind_of
from ml_backend.labeling.results import Annotation, is_decision, read_task
from sdk_scripts import wording
from sdk_scripts.decided_answers import same_answer
from sdk_scripts.decisions import CAUSES, Vote
from sdk_scripts.verdicts import Conflict, Decided

MAX_SENTENCE = 300
"""Characters of what Label Studio shows at a region."""


@dataclass(frozen=True, slots=True)
class Write:
    """What is to be done to a source task."""

    result: list[dict[str, Any]]
    correct: int | None = None
    """The annotation that holds the answer already, and gets the new record; None: a new annotation is made."""
    number: int = 0
    """How many decisions the task's control has had."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The decision is there."""

    annotation: int


@dataclass(frozen=True)
class SourceTask:
    """A source task as Label Studio returns it, for one control."""

    json: Mapping[str, Any]
    config: LabelConfig
    control: str

    def plan(self, decided: Decided, policy: str) -> Write | Standing | Conflict:
        """What writing the decision takes. `policy` is the version of the guidelines it was made under."""
        standing = [one for one in self._decisions if one.ground_truth and not one.cancelled]
        for one in standing:
            if not self._says(one, self._known(one, decided)):
                return Conflict(
                    f"Annotation {one.id}, the decision, was edited since. Set it back, or have the case reopened."
                )
        if len(standing) > 1:
            listed = ", ".join(str(one.id) for one in standing)
            return Conflict(f"Annotations {listed} are decisions, and all are ground truth. Leave one its star.")
        if other := self._other_truth(decided):
            return Conflict(other)
        record = _record(decided, policy)
        round_ = decided.decision.review.round
        for one in standing:
            if {**self.record(one), "policy": policy} == record:
                return Standing(one.id)
            if self.record(one).get("round") == round_ and self._says(one, decided.key):
                return Write(self._result(decided, record), correct=one.id)
        newest = max(self._decisions, key=lambda one: one.id, default=None)
        if newest and not newest.ground_truth and {**self.record(newest), "policy": policy} == record:
            return Conflict(
                f"Annotation {newest.id}, the decision, is no ground truth any more. Make it one again, or have the "
                "case reopened."
            )
        if edited := next(self._edited(decided.decision.review.votes), ""):
            return Conflict(edited)
        return Write(self._result(decided, record), number=len(self._decisions))

    def standing(self) -> Annotation | None:
        """The decision that is ground truth; where several are, the newest."""
        found = [one for one in self._decisions if one.ground_truth and not one.cancelled]
        return max(found, key=lambda one: one.id, default=None)

    def _known(self, standing: Annotation, decided: Decided) -> str:
        """The answer that a decision should have, as the kind's key: as it was written, or as an appeal found it."""
        record, review = self.record(standing), decided.decision.review
        if record.get("round") != review.round and review.consensus:
            return review.consensus[0]
        return str(record.get("answer"))

    def record(self, annotation: Annotation) -> Mapping[str, Any]:
        """What a decision says about itself, for this control; empty for other annotations."""
        for item in annotation.regions:
            meta = item.get("meta")
            about = meta.get("tiebreak") if isinstance(meta, Mapping) else None
            if item.get("from_name") == self.control and isinstance(about, Mapping) and about.get("review"):
                return about
        return {}

    @cached_property
    def annotations(self) -> tuple[Annotation, ...]:
        return read_task(self.json).annotations

    @cached_property
    def _decisions(self) -> list[Annotation]:
        return [one for one in self.annotations if self.record(one)]

    @cached_property
    def _kind(self) -> Kind:
        kind = kind_of(self.config[self.control])
        if kind is None:
            raise InputError(
                f"Nothing can read answers to {self.control!r}.", mend="Annotate the source's task by hand."
            )
        return kind

    def answer(self, annotation: Annotation) -> Answer | None:
        """What an annotation says about the control."""
        return answers(self.config, annotation.regions, hidden=annotation.decided).get(self.control)

    def _says(self, annotation: Annotation, key: str) -> bool:
        answer = self.answer(annotation)
        try:
            return answer is not None and same_answer(self._kind, answer, self._kind.from_key(key))
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError):
            return False

    def _edited(self, votes: tuple[Vote, ...]) -> Iterator[str]:
        """What became of the votes that the reviewer was shown. New votes are no edit: the reviewer outranks them."""
        now = {one.id: one for one in self.annotations}
        mend = "Have the case reopened, so that it is decided by what they say now."
        for vote in votes:
            if vote.control != self.control:
                continue
            if vote.annotation not in now:
                yield f"Annotation {vote.annotation}, a vote, was deleted since. {mend}"
            elif now[vote.annotation].cancelled or not self._says(now[vote.annotation], vote.answer):
                yield f"Annotation {vote.annotation}, a vote, was edited since. {mend}"

    def _other_truth(self, decided: Decided) -> str:
        """Somebody's ground truth, given since the review was made, that says otherwise; "" where there is none.

        Several that differ say nothing, as Label Studio makes ground truth of what is imported.
        """
        seen = {vote.annotation: vote.at for vote in decided.decision.review.votes}
        since = [
            one
            for one in self.annotations
            if one.ground_truth and not (one.cancelled or one.decided or one.automatic) and self._since(one, seen)
        ]
        said = [(one.id, answer) for one in since if (answer := self.answer(one)) is not None]
        alike = {self._kind.key(answer) for _, answer in said}
        if len(alike) != 1 or same_answer(self._kind, said[0][1], decided.answer):
            return ""
        return (
            f"Annotation {said[0][0]} was made ground truth since, and says otherwise. Take its star away, or have the "
            "case reopened."
        )

    @staticmethod
    def _since(one: Annotation, seen: Mapping[int, datetime | None]) -> bool:
        """Whether it came, or was changed, after the votes were noted (to the second)."""
        at = seen.get(one.id)
        return at is None or (one.updated_at or datetime.min.replace(tzinfo=UTC)) >= at + timedelta(seconds=1)

    def _result(self, decided: Decided, record: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The regions to write. Where somebody gave the same answer it is theirs, with the text of its spans."""
        given = (self.answer(one) for one in self.annotations if not one.cancelled)
        answer = next((it for it in given if it == decided.answer), decided.answer)
        meta = {"tiebreak": dict(record), "text": [_sentence(decided)]}
        own = [{**region, "meta": meta} for region in write_answers(self.config, {self.control: answer})]
        return [*self._decided_besides(), *own]

    def _decided_besides(self) -> list[dict[str, Any]]:
        """The regions of what is decided of the task's other controls: Label Studio leaves a task one ground truth, so
        it has to say all of it."""
        found: dict[str, list[dict[str, Any]]] = {}
        for one in sorted(self.annotations, key=lambda one: one.id):
            if not (one.ground_truth and one.decided) or one.cancelled:
                continue
            there: dict[str, list[dict[str, Any]]] = {}
            for item in one.regions:
                if is_decision(item) and item.get("from_name") != self.control:
                    there.setdefault(str(item.get("from_name")), []).append(dict(item))
            found |= there
        return [region for regions in found.values() for region in regions]


def _record(decided: Decided, policy: str) -> dict[str, Any]:
    decision = decided.decision
    return {
        "review": decision.name,
        "round": decision.review.round,
        "answer": decided.key,
        "reviewer": decision.reviewer,
        "cause": decision.cause,
        "clause": decision.clause,
        "policy": policy,
        "rationale": decision.rationale,
    }


def _sentence(decided: Decided) -> str:
    decision = decided.decision
    cause = f" ({CAUSES[decision.cause]})" if decision.cause else ""
    why = f": {decision.rationale}" if decision.rationale else ""
    clause = f" [{decision.clause}]" if decision.clause else ""
    return wording.short(f"Decided by {decision.reviewer}{cause}{clause}{why}", MAX_SENTENCE)
