"""`tiebreak feedback`: what annotators say back, grouped, and what was done about it.

The document (`Feedback.to_json`):

    comments    how many there are
    groups      [{id, title, kind, pair, size, annotators, comments, examples, section, first, last,
                state, done, by, closed_at, new_since_closed, waited_days}], open ones first, the largest first
                `pair`: {control, said, others} or null; `examples`: [{task, link, text, annotator, at}]
                `section`: {heading, text} of the guidelines or null; `waited_days`: until it was closed, or now
    open        ids of the groups that nobody has closed
    reopened    ids of those that got comments after they had been closed
    frequency   {by_annotator, by_label, by_kind}, see `comments.Comments.frequency`
    note        why it goes by words and not by meaning; "" where it goes by meaning
    project     {id, url} of the feedback project, or null
    applied     whether it was brought up to date
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ml_backend.labeling.errors import InputError
from sdk_scripts import wording
from sdk_scripts.alone import alone
from sdk_scripts.evidence import Evidence
from sdk_scripts.feedback.comments import Comment, Comments
from sdk_scripts.feedback.groups import Group, Meaning, grouped
from sdk_scripts.feedback.project import Kept, State, keep, read_kept, task_data
from sdk_scripts.guideline_excerpt import excerpt
from sdk_scripts.same_texts import normal

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from sdk_scripts.sources import Dataset

MAX_TITLE = 90
"""Characters of a group's title."""
MAX_EXAMPLES = 5
WORDS = 12
"""Frequent words of a group by which its section of the guidelines is found."""


@dataclass(frozen=True)
class Found:
    """A group with what is known of it."""

    group: Group
    title: str
    examples: Sequence[Comment]
    section: dict[str, str] | None
    state: State

    @property
    def new_since_closed(self) -> int:
        """Comments that came after it was closed."""
        at = self.state.at
        return sum(bool(it.at and at and it.at > at) for it in self.group.comments) if self.state.closed else 0

    def waited(self, now: datetime) -> float | None:
        """Days from its first comment until it was closed, or now."""
        first, end = self.group.times[0], (self.state.at if self.state.closed else now)
        return max(0.0, (end - first).total_seconds() / 86_400) if first and end else None


@dataclass(frozen=True)
class Feedback:
    dataset: Dataset
    comments: Comments
    groups: list[Found]
    note: str
    now: datetime
    project: int | None = None
    applied: bool = False

    @property
    def open(self) -> list[Found]:
        return [it for it in self.groups if not it.state.closed]

    @property
    def reopened(self) -> list[Found]:
        return [it for it in self.groups if it.new_since_closed]

    def to_json(self) -> dict[str, Any]:
        studio = self.dataset.studio
        where = {"id": self.project, "url": studio.data_manager(self.project)} if studio and self.project else None
        return {
            "comments": len(self.comments.all),
            "groups": [self._group(it) for it in self.groups],
            "open": [it.group.id for it in self.open],
            "reopened": [it.group.id for it in self.reopened],
            "frequency": self.comments.frequency(),
            "note": self.note,
            "project": where,
            "applied": self.applied,
        }

    def _group(self, found: Found) -> dict[str, Any]:
        group, pair, waited = found.group, found.group.pair, found.waited(self.now)
        first, last = group.times
        return {
            "id": group.id,
            "title": found.title,
            "kind": group.kind,
            "pair": {"control": pair[0], "said": pair[1], "others": pair[2]} if pair else None,
            "size": len(group.comments),
            "annotators": group.annotators,
            "comments": sorted(it.id for it in group.comments),
            "examples": [
                {
                    "task": it.task,
                    "link": self.dataset.link(it.task),
                    "text": it.text,
                    "annotator": it.annotator,
                    "at": _iso(it.at),
                }
                for it in found.examples
            ],
            "section": found.section,
            "first": _iso(first),
            "last": _iso(last),
            "state": found.state.state,
            "done": found.state.done,
            "by": found.state.by,
            "closed_at": _iso(found.state.at) if found.state.closed else None,
            "new_since_closed": found.new_since_closed,
            "waited_days": None if waited is None else round(waited, 2),
        }


def feedback(
    dataset: Dataset,
    settings: Settings,
    *,
    apply: bool = False,
    evidence: Evidence | None = None,
    now: datetime | None = None,
    report: Callable[[str], object] = lambda message: None,
) -> Feedback:
    """Collected and grouped; with `apply` the feedback project has a task for each group, made or brought up to date.

    Raises InputError for `apply` on a file, and for a label config without a feedback panel; StudioError.
    """
    if apply and dataset.studio is None:
        raise InputError(f"{dataset.name} is a file and keeps nothing.", mend="Leave --apply out, or give the project.")
    if not any(control.feedback for control in dataset.config.controls):
        raise InputError(
            f"{dataset.name} has no feedback panel.",
            mend='Add controls with tiebreak="feedback" to its label config, as label_configs/listing_moderation does.',
        )
    evidence = evidence or Evidence.collect(dataset, settings)
    comments = Comments(evidence)
    with alone(settings, f"feedback-of-{dataset.project_id}") if apply else nullcontext():
        kept = read_kept(dataset.studio, dataset.project) if dataset.studio and dataset.project else Kept()
        meaning = Meaning.of(evidence, comments.all)
        groups = [
            Found(group, *_about(group, meaning, dataset), kept.states.get(group.id, State()))
            for group in grouped(comments.all, meaning, kept.groups)
        ]
        groups.sort(key=lambda it: (it.state.closed and not it.new_since_closed, -len(it.group.comments), it.group.id))
        project = kept.satellite.id if kept.satellite else None
        if apply and dataset.studio and dataset.project and (groups or project):
            project = keep(dataset.studio, dataset.project, kept, [_task(it, dataset) for it in groups]).id
            report(f"{len(groups)} groups are kept in {dataset.studio.data_manager(project)}")
    note = f"Grouped by words, not by meaning: {meaning.by}" if meaning.by else ""
    return Feedback(dataset, comments, groups, note, now or datetime.now(UTC), project, apply)


def _about(group: Group, meaning: Meaning, dataset: Dataset) -> tuple[str, Sequence[Comment], dict[str, str] | None]:
    """Title, examples (the central comment first, then the newest), and the nearest section of the guidelines."""
    central = meaning.central(group.comments)
    others = [it for it in reversed(group.comments) if it.id != central.id]
    title = wording.short(central.text or _bare(group), MAX_TITLE)
    instruction = str((dataset.project or {}).get("expert_instruction") or "")
    section = excerpt(instruction, _words(group)) if instruction else None
    said = {"heading": section.heading, "text": section.text} if section else None
    return title, [central, *others[: MAX_EXAMPLES - 1]], said


def _bare(group: Group) -> str:
    """What a group without words is about."""
    pair = group.pair
    return f"{group.kind}: {pair[1]} or {pair[2]}" if pair else group.kind


def _words(group: Group) -> list[str]:
    """The labels it is about, and the words most of its comments have."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    counted: Counter[str] = Counter()
    for comment in group.comments:
        words = {word.strip(".,;:!?()'\"") for word in normal(comment.text).split()}
        counted.update(word for word in words if len(word) > 2 and word not in ENGLISH_STOP_WORDS)
    pair = group.pair
    labels = [part for words in (pair[1:] if pair else ()) for part in (words, *words.split(" / "))]
    common = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:WORDS]
    return [*labels, *(word for word, _ in common)]


def _task(found: Found, dataset: Dataset) -> dict[str, Any]:
    group = found.group
    first, last = group.times
    days = sorted({time.date().isoformat() for time in (first, last) if time})
    return task_data(
        group.id,
        found.title,
        kind=group.kind,
        pair=group.pair,
        comments=[it.id for it in group.comments],
        people=len(group.annotators),
        times=" to ".join(days),
        examples=[
            {"text": wording.short(it.text, 300), "task": it.task, "link": _path(dataset.link(it.task))}
            for it in found.examples
        ],
        section=found.section,
    )


def _path(link: str | None) -> str:
    """Without scheme and host: people may reach Label Studio under another name than we do."""
    return urlsplit(link)._replace(scheme="", netloc="").geturl() if link else ""


def _iso(time: datetime | None) -> str | None:
    return time.isoformat(timespec="seconds") if time else None
