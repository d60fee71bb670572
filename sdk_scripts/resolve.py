"""`tiebreak resolve`: what reviewers decided goes back to the source project as ground truth.

Planned first, and safe to repeat: a decision that is there is not written again, a run that was killed half way is
completed by the next, and what people changed in the meantime is reported rather than overwritten.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ml_backend.cases import case_data, libraries_of, policy_version
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import InputError, StudioNotFound, StudioRefused
from ml_backend.labeling.results import read_task
from sdk_scripts.case_library import NewCase, add_cases
from sdk_scripts.decisions import Seated, Unreadable, distributed, read_reviews
from sdk_scripts.ground_truth import SourceTask, Standing, Write
from sdk_scripts.resolution import Left, Resolution, Resolved
from sdk_scripts.review_cases import judged_by
from sdk_scripts.review_project import ReviewProject, is_review_project
from sdk_scripts.review_tasks import reseated
from sdk_scripts.reviewers import Unplaced, another, load_of
from sdk_scripts.standards import standard_of
from sdk_scripts.verdicts import MOST_SEATS, Conflict, Decided, Split, Waiting, by_case, verdict

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio

_UNIQUE = uuid.UUID("5d5a3a39-7d0b-4b3c-9d5b-6a3a0b6e1f55")


def resolve(
    studio: Studio,
    project: Mapping[str, Any],
    settings: Settings,
    *,
    apply: bool = False,
    ids: Collection[int] | None = None,
    updated_after: datetime | None = None,
    report: Callable[[str], object] = lambda message: None,
) -> Resolution:
    """Resolve the source project's cases, all or those of some review tasks: `ids`, or those changed after a time.

    `project` is the source as Label Studio's API returns it. Raises InputError for a project that is a review project
    itself, ConfigError for a label config or standard that cannot be read, StudioError where Label Studio does not
    answer; what was written until then stays, and the next run goes on from there.
    """
    if of := is_review_project(project):
        raise InputError(
            f"Project {project['id']} holds the hard cases of another project.",
            mend=f"Give that project instead: {of}.",
        )
    reviews = ReviewProject(studio, project, standard_of(project), settings)
    with reviews.alone() if apply else nullcontext():
        where = reviews.find()
        if where is None:
            report("It has no review project yet: `tiebreak hard-cases` with --apply makes one.")
            return Resolution(apply)
        found = Resolution(apply)
        _Run(studio, project, parse(project["label_config"]), reviews, where, found).go(ids, updated_after)
    if found.outdated:
        report(f"{len(found.outdated)} decisions were made under older guidelines than today's.")
    return found


@dataclass
class _Run:
    studio: Studio
    project: Mapping[str, Any]
    config: LabelConfig
    reviews: ReviewProject
    review_project: int
    found: Resolution

    def go(self, ids: Collection[int] | None, updated_after: datetime | None) -> None:
        self.annotators = self.studio.annotators()
        reviews, unreadable = read_reviews(self._review_tasks(ids, updated_after), self.annotators)
        self.found.conflicts += [_unreadable(one) for one in unreadable]
        cases = by_case(self._of_this_source(reviews))
        decided = [task for (task, _), rows in cases.items() if any(row.decision or row.problem for row in rows)]
        sources = {task["id"]: task for task in self.studio.tasks(self.project["id"], ids=decided)}
        splits: list[tuple[Split, Mapping[str, Any]]] = []
        settled: list[tuple[Decided, bool]] = []
        for (task, control), rows in sorted(cases.items()):
            source = sources.get(task)
            if source is None and task in decided:
                self._conflict(task, control, "The source task is not there any more. Delete its review task, too.")
                continue
            said = verdict(rows, self.config, (source or {}).get("data", {}))
            if isinstance(said, Conflict):
                self._conflict(task, control, said.why)
            elif isinstance(said, Waiting) or source is None:
                self.found.waiting.append(Left(task, control, said.why if isinstance(said, Waiting) else ""))
            elif isinstance(said, Split):
                splits.append((said, source))
            elif self._settle(said, source):
                settled.append((said, any(row.decision.keep for row in rows if row.decision)))
        if splits:
            self._ask_third(splits)
        if settled and self.found.applied:
            self._keep(settled)

    def _review_tasks(self, ids: Collection[int] | None, updated_after: datetime | None) -> list[dict[str, Any]]:
        """With their annotations: all, or those of the cases that some review tasks are about."""
        if ids is None and updated_after is None:
            return list(self.studio.tasks(self.review_project))
        changed = list(self.studio.tasks(self.review_project, ids=ids, updated_after=updated_after))
        if not changed:
            return []
        wanted = {_case(task) for task in changed}
        seats = [task for task in self.reviews.tasks(_sources(changed)) if _case(task) in wanted]
        return list({task["id"]: task for task in (*changed, *seats)}.values())

    def _of_this_source(self, reviews: Sequence[Seated]) -> list[Seated]:
        """Those about the source project; the others are conflicts, whatever tasks they name."""
        id, made = self.project["id"], str(self.project.get("created_at") or "")
        ours = []
        for seated in reviews:
            review = seated.review
            if review.source != id or (review.source_created and made and review.source_created != made):
                why = f"Review task {review.task} is about another project than {id}. Delete it."
                self.found.conflicts.append(Left(None, review.control, why))
            else:
                ours.append(seated)
        return ours

    def _settle(self, decided: Decided, json: Mapping[str, Any]) -> bool:
        """Write a decision that is not there yet. Whether the case stands as decided, or would."""
        review = decided.decision.review
        policy = review.policy or policy_version(self.project)
        source = SourceTask(json, self.config, review.control)
        step = source.plan(decided, policy)
        if isinstance(step, Conflict):
            self._conflict(*review.case, step.why)
            return False
        if policy != policy_version(self.project):
            self.found.outdated.append(Left(*review.case, f"decided under guidelines {policy}"))
        if isinstance(step, Standing):
            self.found.standing += 1
            return True
        annotation = None
        if self.found.applied:
            try:
                annotation = self._write(step, decided, json["id"])
            except (StudioNotFound, StudioRefused) as error:
                self._conflict(*review.case, str(error))
                return False
        self.found.resolved.append(
            Resolved(
                task=review.source_task,
                control=review.control,
                answer=decided.key,
                was=review.was,
                reviewer=decided.decision.reviewer,
                cause=decided.decision.cause,
                clause=decided.decision.clause,
                policy=policy,
                review=decided.decision.name,
                annotation=annotation,
            )
        )
        return True

    def _write(self, step: Write, decided: Decided, task: int) -> int:
        if step.correct is not None:
            return int(self.studio.update_annotation(step.correct, {"result": step.result})["id"])
        # two workers on different machines come to the same id, and Label Studio takes it once
        same = f"{self.project['id']}/{task}/{decided.decision.name}/{decided.key}/{step.number}"
        fields: dict[str, Any] = {
            "result": step.result,
            "ground_truth": True,  # Label Studio takes it from every other annotation of the task
            "unique_id": str(uuid.uuid5(_UNIQUE, same)),
        }
        if decided.decision.user in self.annotators:
            fields["completed_by"] = decided.decision.user
        return int(self.studio.create_annotation(task, fields)["id"])

    def _ask_third(self, splits: Sequence[tuple[Split, Mapping[str, Any]]]) -> None:
        """A review task for a third reviewer, of each case that two disagree about."""
        now = datetime.now(UTC)
        there: list[Mapping[str, Any]] = list(self.reviews.tasks({split.first.source_task for split, _ in splits}, now))
        made: list[dict[str, Any]] = []
        for split, source in splits:
            data = split.first.data
            try:
                case = distributed(split.first, judged_by(read_task(source, self.annotators)), split.seated)
            except InputError as error:
                self._conflict(*split.first.case, str(error))
                continue
            seat = another(case, self.reviews.standard, load_of([*there, *made], now))
            if isinstance(seat, Unplaced):
                self.found.waiting.append(Left(*split.first.case, f"Its two reviewers differ. {seat.reason}"))
                continue
            made.append({"data": reseated(data, seat, seats=MOST_SEATS), "created_at": now.isoformat()})
            why = f"Its two reviewers differ; the third is {seat.reviewer or 'anybody else'}."
            self.found.asked.append(Left(*split.first.case, why))
        if self.found.applied:
            self.reviews.add(self.review_project, [{"data": one["data"]} for one in made])

    def _keep(self, settled: Sequence[tuple[Decided, bool]]) -> None:
        """In the case library: what somebody on the case wants kept, and whatever is there, as it may have been decided
        again."""
        libraries = libraries_of(self.studio.projects(), self.project)
        known = {
            (about.get("source_task"), about.get("control"))
            for library in libraries
            for task in self.studio.tasks(library["id"], data_only=True)
            if (about := case_data(task["data"]))
        }
        cases = [
            NewCase(
                task=decided.decision.review.source_task,
                control=decided.decision.review.control,
                key=decided.key,
                severity=decided.decision.review.severity,
                cause=decided.decision.cause,
                clause=decided.decision.clause,
                rationale=decided.decision.rationale,
                policy=decided.decision.review.policy,
                # a reviewer who changes their mind keeps the annotation
                review=f"{decided.decision.name} {decided.decision.at or ''}".strip(),
            )
            for decided, keep in settled
            if keep or decided.decision.review.case in known
        ]
        if cases:
            added = add_cases(self.studio, self.project, cases, self.reviews.settings)
            self.found.kept = added.created + added.updated

    def _conflict(self, task: int | None, control: str, why: str) -> None:
        self.found.conflicts.append(Left(task, control, why))


def _unreadable(one: Unreadable) -> Left:
    return Left(one.source_task, one.control, f"Review task {one.task}: {one.why} Delete it, or have it made anew.")


def _sources(review_tasks: Sequence[Mapping[str, Any]]) -> set[int]:
    return {source for task in review_tasks if isinstance(source := task["data"].get("source_task"), int)}


def _case(task: Mapping[str, Any]) -> tuple[Any, Any]:
    data = task["data"]
    return repr(data.get("source_task")), repr(data.get("control"))
