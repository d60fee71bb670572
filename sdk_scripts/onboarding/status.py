"""`tiebreak onboard status`: where everybody stands, and who may label what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ml_backend.cases import policy_version
from ml_backend.labeling.config import LabelConfig, parse
from sdk_scripts.onboarding.certificates import Certificate, certificates, courses
from sdk_scripts.onboarding.course import Course
from sdk_scripts.onboarding.questions import graded
from sdk_scripts.quality import Onboarding, quality_of
from sdk_scripts.standards import standard_of

if TYPE_CHECKING:
    from ml_backend.studio import Studio

NOT_ENFORCED = (
    "Label Studio Community cannot keep anybody from labelling, or from looking answers up: with `required: true` the "
    "rule `uncertified` finds labels of people without a certificate."
)


def status(studio: Studio, source: Mapping[str, Any]) -> dict[str, Any]:
    """`people`, `may_label` (control -> e-mails), `reviewers_without` (e-mail -> controls), `waiting` (whether a
    command has something to do) and a `note`. Worked out from the courses alone. Raises ConfigError, StudioError."""
    config, onboarding = parse(str(source["label_config"])), quality_of(source).onboarding
    policy = policy_version(source)
    people = []
    held: dict[str, dict[str, Certificate]] = {}
    for course in courses(studio, source, config):
        found = certificates(course, config, onboarding, policy)
        held[course.who] = found
        people.append(_person(studio, course, found, config))
    controls = needed(onboarding, config, held)
    may = {
        name: sorted(who for who, found in held.items() if name in found and found[name].state == "certified")
        for name in controls
    }
    without = {
        one.email: missing
        for one in standard_of(source).reviewers
        if (missing := [name for name in controls if one.email not in may[name]])
    }
    return {
        "project": source["id"],
        "policy": policy,
        "people": people,
        "may_label": may,
        "reviewers_without": without,
        "waiting": any(it["waits_for"] for it in people) or bool(without),
        "note": NOT_ENFORCED,
    }


def needed(onboarding: Onboarding, config: LabelConfig, held: Mapping[str, Mapping[str, Certificate]]) -> list[str]:
    """The controls that take a certificate: those that rules.yaml names, else all that some exam decided on, else all
    whose answers are right or wrong."""
    known = [it.name for it in config.answerable if graded(config, it.name)]
    tested = {name for found in held.values() for name in found}
    return [name for name in known if name in (onboarding.controls or tested or known)]


def _person(studio: Studio, course: Course, found: Mapping[str, Certificate], config: LabelConfig) -> dict[str, Any]:
    stage = "over" if course.over else course.current[0].stage if course.current else "not begun"
    return {
        "annotator": course.who,
        "project": course.satellite.id,
        "url": studio.data_manager(course.satellite.id),
        "stage": stage,
        "attempt": course.attempt,
        "set": course.current[0].set if course.current else 0,
        "done": sum(it.done for it in course.current),
        "of": len(course.current),
        "waits_for": _waits(course, found),
        "certificates": {name: it.to_json(config) for name, it in found.items()},
        "edited": [it.id for it in course.tasks if it.stage == "exam" and it.edited],
        "answered_by_others": {str(it.id): list(it.others) for it in course.tasks if it.others},
    }


def _waits(course: Course, found: Mapping[str, Certificate]) -> str:
    """The command that is due; empty where the person is."""
    if not course.current:
        return "start"
    if course.over:
        return "start" if any(it.state != "certified" for it in found.values()) else ""
    return "advance" if course.waits else ""
