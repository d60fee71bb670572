"""What comes next in somebody's course. Pure: the course as it stands and the questions there are go in, the tasks to
import and the data to change come out. Applied in part and worked out again, the rest comes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ml_backend.cases import policy_version
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.errors import NotEnoughLabels
from ml_backend.labeling.results import project_key
from sdk_scripts.onboarding.certificates import LEAST, Certificate, certificates, marks
from sdk_scripts.onboarding.choice import choose, left
from sdk_scripts.onboarding.course import COURSE, PANEL, Asked, Course, Marked, Stage, item_of
from sdk_scripts.onboarding.panel import Answered, answered_panel, place_panel, recap_panel
from sdk_scripts.onboarding.questions import Question, controls_of, shown
from sdk_scripts.quality import Onboarding
from sdk_scripts.satellites import ITEM

FURTHER = 10
"""Questions about a control in a further set, where the exam has not decided on it yet."""
GONE = "The question is settled no more."
EDITED = "The answer was changed before it was seen."


@dataclass(frozen=True)
class Step:
    says: str
    """A sentence."""
    new: tuple[dict[str, Any], ...] = ()
    """Tasks to import, in order."""
    changed: Mapping[int, dict[str, Any]] = field(default_factory=dict)
    """Task -> its whole data."""

    @property
    def empty(self) -> bool:
        return not (self.new or self.changed)


@dataclass(frozen=True)
class Desk:
    """All that a step depends on."""

    source: Mapping[str, Any]
    """The project as Label Studio's API returns it."""
    config: LabelConfig
    onboarding: Onboarding
    questions: Sequence[Question]
    course: Course
    tasks_at: str = ""
    """Address of the course's tasks, for links."""

    @property
    def who(self) -> str:
        return self.course.who

    @property
    def policy(self) -> str:
        return policy_version(self.source)

    def controls(self) -> tuple[str, ...]:
        return controls_of(self.onboarding.controls, self.questions, LEAST)

    def certificates(self) -> dict[str, Certificate]:
        return certificates(self.course, self.config, self.onboarding, self.policy)

    @cached_property
    def known(self) -> dict[str, Question]:
        """Item of the course -> its question."""
        key = project_key(self.source)
        return {item_of(key, self.who, it.id): it for it in self.questions}


def begin(desk: Desk) -> Step:
    """The first set of a new attempt, where one is due: there was none, the last did not pass, or the guidelines have
    changed since, for which an exam is enough. Raises NotEnoughLabels where there are too few questions."""
    course = desk.course
    if course.tasks and not course.over:
        return Step("The course is under way.")
    controls = desk.controls()
    found = desk.certificates()
    due = [name for name in controls if name not in found or found[name].state != "certified"]
    if controls and not due:
        return Step("Everything is certified.")
    again = bool(due) and all(name in found and found[name].state == "stale" for name in due)
    if not again and (practice := _practice(desk, course.attempt + 1, due, ())).new:
        _enough(desk, due)
        return practice
    return _exam(desk, course.attempt + 1, due, (), LEAST if again else desk.onboarding.exam)


def advance(desk: Desk) -> Step:
    """What the finished tasks call for: first answers are written down, a finished set is marked and the next one
    given, an exam is decided."""
    course = desk.course
    if not course.tasks:
        return Step("The course has not begun.")
    if course.over:
        return Step("The course is over: " + _summary(list(desk.certificates().values())))
    current = course.current
    open_ = sum(not it.done for it in current)
    if open_:
        return Step(f"{open_} of {len(current)} tasks of the set are open.", changed=_recorded(course))
    if current[0].stage == "practice":
        return _after_practice(desk, current)
    return _after_exam(desk)


def _after_practice(desk: Desk, done: Sequence[Asked]) -> Step:
    known = desk.known
    title = f"Practice, set {done[0].set}"
    changed = {}
    answered = []
    for it in done:
        question = known.get(it.item)
        if question is None:
            marked = Marked({}, void=GONE)
        else:
            marked = Marked(question.answers, question.severity)
            answered.append(_answered(desk, it, question))
        if it.marked is None:
            panel = answered_panel(desk.config, _instruction(desk), title, answered[-1]) if question else GONE
            changed[it.id] = _data(it, marked, panel)
    recap = recap_panel(desk.config, _instruction(desk), f"{title}: what was right", answered) if answered else ""
    due = _due(desk)
    following = _practice(desk, done[0].attempt, due, desk.course.of("practice"), recap)
    if not following.new:
        try:
            following = _exam(desk, done[0].attempt, due, (), desk.onboarding.exam, recap)
        except NotEnoughLabels as few:  # the practice is marked all the same
            following = Step(str(few))
    return replace(following, changed=changed)


def _after_exam(desk: Desk) -> Step:
    """Answers are shown only when nothing more is asked."""
    exam, known = desk.course.of("exam"), desk.known
    marked = [it if it.marked else replace(it, marked=_mark(it, known.get(it.item))) for it in exam]
    found = marks(marked, desk.config, desk.onboarding)
    unsure = [it.control for it in found if it.state == "undecided"]
    if unsure and not any(it.marked for it in exam):
        more = _exam(desk, desk.course.attempt, unsure, exam, FURTHER)
        if more.new:
            return replace(more, changed=_recorded(desk.course))
    title = f"Exam {desk.course.attempt}: {_summary(found)}"
    changed = {}
    for before, it in zip(exam, marked, strict=True):
        question = known.get(it.item)
        if before.marked is None and it.marked is not None:
            panel = (
                answered_panel(desk.config, _instruction(desk), title, _answered(desk, it, question))
                if question
                else GONE
            )
            changed[it.id] = _data(it, it.marked, panel)
    return Step(title, changed=changed)


def _practice(desk: Desk, attempt: int, due: Sequence[str], given: Sequence[Asked], recap: str = "") -> Step:
    room = desk.onboarding.practice - len(given)
    if room <= 0:
        return Step("")
    kept = desk.onboarding.exam * len(due)
    asked = _questions(desk, desk.course.tasks)
    chosen = choose(
        desk.config,
        desk.questions,
        desk.who,
        practice=room,
        exam=kept,
        controls=due,
        used={it.id for it in asked},
        practised=_questions(desk, given),
    ).practice[: desk.onboarding.a_set]
    number = max((it.set for it in given), default=0) + 1
    what = "The right answers, and why, are shown when all of the set are done."
    new = _tasks(desk, chosen, "practice", attempt, number, f"Practice, set {number}", what, recap)
    return Step(f"Practice, set {number}: {len(new)} tasks.", new)


def _exam(
    desk: Desk,
    attempt: int,
    due: Sequence[str],
    given: Sequence[Asked],
    size: int,
    recap: str = "",
) -> Step:
    """So many questions about each control that is due, at most `most` in all sets."""
    if not given:
        _enough(desk, due)
    chosen, before = list[Question](), _questions(desk, given)
    for name in due:
        asked = sum(name in it.answers for it in (*before, *chosen))
        wanted = min(size - sum(name in it.answers for it in chosen), desk.onboarding.most - asked)
        chosen += choose(
            desk.config,
            desk.questions,
            desk.who,
            practice=0,
            exam=max(wanted, 0),
            controls=[name],
            used={it.id for it in (*_questions(desk, desk.course.tasks), *chosen)},
            examined=(*before, *chosen),
        ).exam
    chosen.sort(key=lambda it: item_of(project_key(desk.source), desk.who, it.id))
    number = max((it.set for it in given), default=0) + 1
    what = (
        "The first answer that you submit counts, a skipped task is not right. Answers are shown when the exam is over."
    )
    title = f"Exam {attempt}" if number == 1 else f"Exam {attempt}, more questions"
    new = _tasks(desk, chosen, "exam", attempt, number, title, what, recap, due)
    return Step(f"{title}: {len(new)} questions.", new)


def _questions(desk: Desk, asked: Sequence[Asked]) -> list[Question]:
    known = desk.known
    return [known[it.item] for it in asked if it.item in known]


def _enough(desk: Desk, due: Sequence[str]) -> None:
    n = left(desk.config, desk.questions, desk.who, {it.id for it in _questions(desk, desk.course.tasks)})
    few = [f"{name} ({n[name]})" for name in due if n[name] < LEAST]
    if few or not due:
        raise NotEnoughLabels(
            f"An exam needs {LEAST} questions that are not alike and that {desk.who} was not asked before; there are "
            f"too few for {', '.join(few) or 'any control'}.",
            mend="Promote cases to gold (`tiebreak cases promote … --to gold`), and renew those that are stale since "
            "the guidelines changed (`tiebreak cases renew`).",
        )


def _due(desk: Desk) -> tuple[str, ...]:
    found = desk.certificates()
    return tuple(name for name in desk.controls() if name not in found or found[name].state != "certified")


def _tasks(
    desk: Desk,
    questions: Sequence[Question],
    stage: Stage,
    attempt: int,
    number: int,
    title: str,
    what: str,
    recap: str,
    controls: Sequence[str] = (),
) -> tuple[dict[str, Any], ...]:
    key = project_key(desk.source)
    about: dict[str, Any] = {"stage": stage, "attempt": attempt, "set": number, "policy": desk.policy}
    if controls:
        about["controls"] = list(controls)
    return tuple(
        {
            "data": {
                **shown(desk.config, it.data),
                ITEM: item_of(key, desk.who, it.id),
                COURSE: about,
                PANEL: place_panel(f"{title}: {place} of {len(questions)}", what, recap if place == 1 else ""),
            }
        }
        for place, it in enumerate(questions, 1)
    )


def _mark(it: Asked, question: Question | None) -> Marked:
    if question is None:
        return Marked({}, void=GONE)
    return Marked(question.answers, question.severity, "" if it.first else EDITED)


def _answered(desk: Desk, it: Asked, question: Question) -> Answered:
    given = it.first.answers if it.first else it.now
    return Answered(it.id, question, given, f"{desk.tasks_at}?task={it.id}" if desk.tasks_at else "")


def _recorded(course: Course) -> dict[int, dict[str, Any]]:
    """Data of the exam's tasks with the first answer written down, where it is not yet."""
    return {it.id: _data(it) for it in course.of("exam") if it.first and not it.recorded}


def _data(it: Asked, marked: Marked | None = None, panel: str = "") -> dict[str, Any]:
    about = dict(it.about)
    if it.first:
        about["first"] = it.first.to_json()
    if marked:
        about["marked"] = marked.to_json()
    return {**it.data, COURSE: about, **({PANEL: panel} if panel else {})}


def _instruction(desk: Desk) -> str:
    return str(desk.source.get("expert_instruction") or "")


def _summary(found: Sequence[Certificate]) -> str:
    return ", ".join(f"{it.control} {it.state} ({it.right} of {it.n} right)" for it in found) or "nothing was asked."
