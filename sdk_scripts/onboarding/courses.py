"""The course of a new annotator, as a project of Label Studio: practice whose answers are shown after each set, then an
exam, and a certificate for each control.

Label Studio Community can neither assign tasks nor hide projects: everybody who is signed in may open a course, the
case library and the source's answers, and label without a certificate. A course holds among people who do not look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from ml_backend.cases import policy_version
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import ConfigError, InputError
from ml_backend.labeling.results import project_key
from sdk_scripts.alone import alone
from sdk_scripts.onboarding.certificates import courses
from sdk_scripts.onboarding.course import COURSE, PANEL, Course
from sdk_scripts.onboarding.panel import course_config
from sdk_scripts.onboarding.questions import Pool, graded
from sdk_scripts.onboarding.steps import Desk, Step, advance, begin
from sdk_scripts.quality import Onboarding, quality_of
from sdk_scripts.satellites import ITEM, About, Satellite, fill, make_satellite

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio

NAME = "onboarding"
_ABOUT = "What {} practises and is asked before labelling project {}. Answers of anybody else do not count."
_HOW = (
    "<p>First some practice: when a set is done, the right answers and the reasons stand above the next one, and in "
    "the finished tasks. Then an exam: the first answer that you submit counts.</p>"
)
_HIDDEN = [
    *(f"tasks:data.{name}" for name in (PANEL, COURSE, ITEM)),
    *(f"tasks:{name}" for name in ("inner_id", "annotations_results", "annotations_ids", "file_upload", "updated_by")),
    *(f"tasks:predictions_{name}" for name in ("score", "results", "model_versions")),
    *(f"tasks:{name}" for name in ("storage_filename", "created_at", "updated_at", "avg_lead_time", "draft_exists")),
]
_VIEW = {"title": "Course", "hiddenColumns": {"explore": _HIDDEN, "labeling": _HIDDEN}}
"""What people go back to finished tasks by: their texts, and when they were done."""


@dataclass(frozen=True)
class Taken:
    """A step of one person's course."""

    who: str
    step: Step
    project: int | None
    """The course; None where it is not made yet."""
    url: str
    applied: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "annotator": self.who,
            "says": self.step.says,
            "new_tasks": len(self.step.new),
            "changed_tasks": len(self.step.changed),
            "project": self.project,
            "url": self.url,
            "applied": self.applied,
        }


def start_course(
    studio: Studio, source: Mapping[str, Any], who: str, settings: Settings, *, apply: bool, now: datetime | None = None
) -> Taken:
    """Begin somebody's course, or go on with a new attempt where one is due: the last was not passed, or the guidelines
    have changed since. Safe to repeat. Raises InputError for what is no e-mail, ConfigError, NotEnoughLabels where
    there are too few questions, StudioError."""
    address = who.strip().lower()
    if "@" not in address or any(it.isspace() for it in address):
        raise InputError(
            f"{who[:80]!r} is not an e-mail address.", mend="Give the one they sign in to Label Studio with."
        )
    config, onboarding = _rules(source)
    with alone(settings, f"courses-of-{source['id']}"):
        known = next(iter(courses(studio, source, config, address)), None)
        about = About(project_key(source), "course", NAME, address, policy_version(source))
        course = known or Course(Satellite(0, about, {}))
        step = begin(_desk(Pool(studio, source, config, now or datetime.now(UTC)), onboarding, course))
        if not apply:
            return _taken(studio, course, step, applied=False)
        if known is None or step.new:
            satellite = make_satellite(
                studio,
                source,
                about,
                title=f"Course of {address}: {source.get('title') or source['id']}",
                label_config=course_config(str(source["label_config"])),
                instruction=_HOW + str(source.get("expert_instruction") or ""),
                description=_ABOUT.format(escape(address), source["id"]),
            )
            course = Course(satellite, course.tasks)
            if not studio.views(satellite.id):
                studio.create_view(satellite.id, _VIEW)
            fill(studio, satellite, step.new)
        return _taken(studio, course, step, applied=True)


def advance_courses(
    studio: Studio,
    source: Mapping[str, Any],
    settings: Settings,
    *,
    who: str | None = None,
    apply: bool,
    now: datetime | None = None,
) -> list[Taken]:
    """The next step of one person's course, or of all. Safe to repeat, also after it was cut short. Raises InputError
    for somebody who has none, StudioError."""
    config, onboarding = _rules(source)
    with alone(settings, f"courses-of-{source['id']}"):
        found = courses(studio, source, config, who.strip().lower() if who is not None else None)
        if who is not None and not found:
            raise InputError(f"{who} has no course.", mend="Begin it with `tiebreak onboard start`.")
        pool, taken = Pool(studio, source, config, now or datetime.now(UTC)), []
        for course in found:
            desk = _desk(pool, onboarding, course) if course.waits else Desk(source, config, onboarding, (), course)
            step = advance(desk)
            if apply:
                for task, data in step.changed.items():
                    studio.update_task_data(task, data)
                if step.new:
                    fill(studio, course.satellite, step.new)
            taken.append(_taken(studio, course, step, applied=apply))
        return taken


def _desk(pool: Pool, onboarding: Onboarding, course: Course) -> Desk:
    """With the library's questions, and the source's decided tasks where those are few."""
    tasks_at = pool.studio.data_manager(course.satellite.id) if course.satellite.id else ""
    desk = Desk(pool.source, pool.config, onboarding, pool.library, course, tasks_at)
    asked = len(course.tasks)
    small = (
        sum(it.exam and it.holds for it in pool.library) < onboarding.most + asked
        or sum(it.practice and it.holds for it in pool.library) < onboarding.practice + asked
        or any(it.item not in desk.known for it in course.tasks)
    )
    return replace(desk, questions=pool.whole) if small else desk


def _rules(source: Mapping[str, Any]) -> tuple[LabelConfig, Onboarding]:
    config, onboarding = parse(str(source["label_config"])), quality_of(source).onboarding
    if strange := [name for name in onboarding.controls if not graded(config, name)]:
        raise ConfigError(
            f"onboarding.controls: no certificate can be given for {', '.join(strange)}.",
            mend="Name controls of the label config whose answers are labels or stars.",
        )
    return config, onboarding


def _taken(studio: Studio, course: Course, step: Step, *, applied: bool) -> Taken:
    id = course.satellite.id
    return Taken(course.who, step, id or None, studio.data_manager(id) if id else "", applied)
