"""What a project of Label Studio is to Tiebreak, read off the lines it keeps in the project's description.

tiebreak: hard-cases-of-12                  the review project of project 12
tiebreak cases: product_reviews             a case library
tiebreak hard cases: {"automatic": true}    a source project whose hard cases are found and resolved by themselves
tiebreak policy: {"automatic": true}        a source project whose tasks are routed by themselves
tiebreak quality: {"automatic": true}       a source project that workers inspect; "reports" in it: that they report on
tiebreak satellite: {"source": "12.1764…"}  a round, a course or the feedback of project 12
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml_backend.labeling.errors import ConfigError
from ml_backend.labeling.kinds import finite
from ml_backend.policy import policy_of
from ml_backend.report_schedule import NEVER, Schedule, schedule_of

EVERY_HOURS = 24.0
REVIEWS_OF = "hard-cases-of-"
"""Names of review projects begin with it; the source project's id follows."""

_REVIEW = re.compile(rf"^[ \t]*tiebreak: {REVIEWS_OF}(?P<id>[1-9]\d{{0,17}})(?: \([^()\n]*\))?[ \t]*$", re.MULTILINE)
_LIBRARY = re.compile(r"^[ \t]*tiebreak cases: \S+[ \t]*$", re.MULTILINE)
_STANDARD = re.compile(r"^[ \t]*tiebreak hard cases: (?P<json>\{.*\})[ \t]*$", re.MULTILINE)
_QUALITY = re.compile(r"^[ \t]*tiebreak quality: (?P<json>\{.*\})[ \t]*$", re.MULTILINE)
_SATELLITE = re.compile(r"^[ \t]*tiebreak satellite: \{.*\}[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Role:
    reviews_of: int | None = None
    """The project whose hard cases it holds."""
    library: bool = False
    automatic: bool = False
    routed: bool = False
    """Whether workers carry out its policy."""
    monitored: bool = False
    """Whether workers inspect it."""
    every_hours: float = EVERY_HOURS
    """At least that often."""
    reports: Schedule = NEVER
    """When workers make a report of it."""
    satellite: bool = False
    """A round, a course or the feedback of another project."""
    course_of: str = ""
    """`project_key` of the project whose new annotators it teaches."""

    @property
    def learns(self) -> bool:
        """Whether people label it for a model to learn from."""
        return self.reviews_of is None and not self.library and not self.satellite


def role_of(project: Mapping[str, Any]) -> Role:
    """Of a project as Label Studio's API or a webhook shows it."""
    text = str(project.get("description") or "").replace("\r\n", "\n")
    quality = _said(_QUALITY, text)
    reviews = list(_REVIEW.finditer(text))
    return Role(
        reviews_of=int(reviews[-1]["id"]) if reviews else None,
        library=bool(_LIBRARY.search(text)),
        automatic=_automatic(_STANDARD, text),
        routed=_routed(project),
        monitored=quality.get("automatic") is True,
        every_hours=_hours(quality.get("every_hours")),
        reports=schedule_of(quality.get("reports")),
        satellite=bool(_SATELLITE.search(text)),
        course_of=_course_of(text),
    )


def _course_of(text: str) -> str:
    found = list(_SATELLITE.finditer(text))
    try:
        said = json.loads(found[-1][0].split(":", 1)[1]) if found else None
    except (ValueError, RecursionError):
        return ""
    return str(said.get("source") or "") if isinstance(said, dict) and said.get("kind") == "course" else ""


def _routed(project: Mapping[str, Any]) -> bool:
    try:
        return policy_of(project).automatic
    except ConfigError:
        return False


def _automatic(line: re.Pattern[str], text: str) -> bool:
    return _said(line, text).get("automatic") is True


def _said(line: re.Pattern[str], text: str) -> dict[str, Any]:
    found = list(line.finditer(text))
    try:
        said = json.loads(found[-1]["json"]) if found else None
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _hours(said: Any) -> float:
    number = finite(said)
    return float(number) if number is not None and number > 0 else EVERY_HOURS
