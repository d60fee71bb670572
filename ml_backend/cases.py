"""The case library: settled hard cases. They are precedents for whoever decides the next one, gold questions for
annotators, and a regression set that every model version is tried on and none is trained on.

It is a project of Label Studio like any other, whose description has the line

    tiebreak cases: <name of the source project>

the name being that of the source's own line `tiebreak: <name>`, or `#<id>` where it has none. Each of its tasks has a
source task's data and one ground-truth annotation in the same controls. `data.tiebreak_case` may say

    {"source_task": 7, "control": "verdict", "severity": 3, "cause": …, "policy": …, "reviews": […],
     "expires": "2027-01-31"}

and the annotation may use the controls of PANEL, which people edit there; what it says counts before the data. A task
of more than one ground truth counts by the one changed last.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import structlog

from ml_backend.images import Look
from ml_backend.labeling.answers import answers, regions_by_control
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.kinds import Answer, Region, kind_of, values
from ml_backend.labeling.results import Annotation, read_task, read_time, string
from ml_backend.prelabelers import group_key, readings_of

if TYPE_CHECKING:
    from ml_backend.studio import Studio

log = structlog.stdlib.get_logger()

Use = Literal["precedent", "gold", "regression"]
State = Literal["holds", "stale", "expired"]

DATA_KEY = "tiebreak_case"
USES: tuple[Use, ...] = ("precedent", "gold", "regression")
UNSAID: tuple[Use, ...] = ("precedent", "regression")
"""The uses of a case of which nothing is said."""
USE, CLAUSE, RATIONALE, EXPIRES = PANEL = ("tiebreak_use", "tiebreak_clause", "tiebreak_rationale", "tiebreak_expires")
"""Names of the controls that a library has beside its source's."""
MAX_WORDS = 2_000
"""Characters of a rationale or clause: annotators' words, shown to others."""
_NAME = r"(?P<name>[a-z0-9][a-z0-9_.-]{0,62}|#[0-9]{1,18})"
_SOURCE = re.compile(r"^[ \t]*tiebreak: (?P<name>[a-z0-9][a-z0-9_.-]{0,62})(?: \([^()\n]*\))?[ \t]*$", re.MULTILINE)
_LIBRARY = re.compile(rf"^[ \t]*tiebreak cases: {_NAME}[ \t]*$", re.MULTILINE)
_TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True)
class Case:
    """The settled answer to one control of one task."""

    project: int
    """The library's, and the task's id in it: what people find it by."""
    task: int
    data: Mapping[str, Any]
    control: str
    answer: Answer
    severity: str = ""
    expires: datetime | None = None
    """From then on it is no case any more. None: never."""
    policy: str = ""
    """The policy version it was settled under."""
    stale: bool = False
    """The policy has changed since; it is used for nothing until somebody renews it."""
    uses: tuple[Use, ...] = UNSAID
    rationale: str = ""
    clause: str = ""
    """Of the guidelines."""
    cause: str = ""
    source_task: int | None = None
    annotation: int = 0
    """The ground truth's id in the library."""

    @property
    def place(self) -> str:
        """As in the address of the task in Label Studio."""
        return f"projects/{self.project}/data?task={self.task}"

    def state(self, now: datetime) -> State:
        if self.expires is not None and self.expires <= now:
            return "expired"
        return "stale" if self.stale else "holds"


def read_cases(studio: Studio, project: Mapping[str, Any], config: LabelConfig, now: datetime) -> list[Case]:
    """The project's cases that have not expired at `now`, stale ones among them, in order of task; none where it has no
    library.

    `project` is the source as Label Studio's API returns it, `config` its label config. Tasks without a readable
    ground-truth annotation are passed over. Raises StudioError.
    """
    return [case for case in all_cases(studio, project, config) if case.state(now) != "expired"]


def all_cases(studio: Studio, project: Mapping[str, Any], config: LabelConfig) -> list[Case]:
    """The same with those that have expired."""
    policy = policy_version(project)
    return [
        case
        for library in libraries_of(studio.projects(), project)
        for task in studio.tasks(library["id"])
        for case in cases_of(library["id"], task, config, policy)
    ]


def usable(cases: Iterable[Case], use: Use, now: datetime) -> list[Case]:
    """Those to be used so at `now`: promoted to it, neither stale nor expired."""
    return [case for case in cases if use in case.uses and case.state(now) == "holds"]


def regression_cases(cases: Sequence[Case], project: Mapping[str, Any], now: datetime) -> list[Case]:
    """What a new model of the project is tried on."""
    if stale := sum(case.stale for case in cases):
        log.warning("the guidelines changed: no model is tried on stale cases", project=project["id"], stale=stale)
    return usable(cases, "regression", now)


def libraries_of(projects: Iterable[Mapping[str, Any]], source: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The source's libraries among Label Studio's projects."""
    names = {_last(_SOURCE, source.get("description")), f"#{source.get('id')}"}
    return [it for it in projects if (name := library_of(it)) is not None and name in names]


def library_of(project: Mapping[str, Any]) -> str | None:
    """The name of the source whose cases a project holds; None where it is no library."""
    return _last(_LIBRARY, project.get("description"))


def source_name(project: Mapping[str, Any]) -> str:
    """What a library calls its source."""
    return _last(_SOURCE, project.get("description")) or f"#{project['id']}"


def cases_fingerprint(cases: Iterable[Case], config: LabelConfig, look: Look | None = None) -> str:
    """16 hex digits of what the cases ask and answer; empty for none."""
    lines = sorted(repr((case.control, _key(case, config), _hash(case, config, look))) for case in cases)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] if lines else ""


def case_texts(cases: Iterable[Case], control: str, config: LabelConfig, look: Look | None = None) -> np.ndarray:
    """(n,) uint64: hashes of the texts of one control's cases, as `examples.text_hashes` has them where `look` is that
    of its encoder."""
    return np.array([_hash(case, config, look) for case in cases if case.control == control], dtype=np.uint64)


def policy_version(project: Mapping[str, Any]) -> str:
    """12 hex digits of the words of a project's instructions, which are its guidelines; empty where it has none."""
    words = unescape(_TAG.sub(" ", string(project.get("expert_instruction")) or "")).split()
    return hashlib.sha256(" ".join(words).encode(errors="replace")).hexdigest()[:12] if words else ""


def cases_of(library: int, json_task: Mapping[str, Any], config: LabelConfig, policy: str) -> Iterable[Case]:
    """The cases of a library's task, as Label Studio's API returns it, under the policy version of today."""
    task = read_task(json_task)
    newest = settled(task.annotations)
    if newest is None:
        return
    about = case_data(task.data)
    expires = _said(newest.regions, EXPIRES) or about.get("expires")
    until = read_time(expires)
    if expires and until is None:
        log.warning("a case's expiry is no date, so it does not expire", project=library, task=task.id)
    settled_under = str(about.get("policy") or "")
    source = about.get("source_task")
    of_task = source if isinstance(source, int) and not isinstance(source, bool) else None
    for name, answer in _answers(config, newest.regions, about.get("control")).items():
        yield Case(
            project=library,
            task=task.id,
            data=task.data,
            control=name,
            answer=answer,
            severity=_plain(about.get("severity")),
            expires=until,
            policy=settled_under,
            stale=bool(settled_under) and settled_under != policy,
            uses=_uses(newest.regions, unsaid=UNSAID if of_task is None else ()),
            rationale=_said(newest.regions, RATIONALE),
            clause=_said(newest.regions, CLAUSE),
            cause=str(about.get("cause") or "")[:MAX_WORDS],
            source_task=of_task,
            annotation=newest.id,
        )


def settled(annotations: Iterable[Annotation]) -> Annotation | None:
    """The ground truth that counts."""
    settled = [it for it in annotations if it.ground_truth and not it.cancelled]
    oldest = datetime.min.replace(tzinfo=UTC)
    return max(settled, key=lambda it: (it.updated_at or oldest, it.id), default=None)


def case_data(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the data of a library's task says of its case."""
    return _about(data.get(DATA_KEY))


def _answers(config: LabelConfig, regions: Sequence[Region], control: object) -> dict[str, Answer]:
    """What is settled: the one control that the case is about, shown or not, as the answers that would bring it on the
    screen need not be there; else all."""
    if not isinstance(control, str):
        return answers(config, regions)
    kind = kind_of(config[control]) if control in config else None
    answer = kind.read(config[control], regions_by_control(config, regions).get(control, [])) if kind else None
    return {} if answer is None else {control: answer}


def _plain(severity: object) -> str:
    return f"{severity:g}" if isinstance(severity, float) else str(severity or "")[:MAX_WORDS]


def _uses(regions: Sequence[Region], unsaid: tuple[Use, ...]) -> tuple[Use, ...]:
    """Label Studio stores no region where nothing is picked: in a case made as code that says: for nothing."""
    own = [region for region in regions if region.get("from_name") == USE]
    picked = {item for value in values(own) for item in _list(value.get("choices")) if isinstance(item, str)}
    return tuple(use for use in USES if use in picked) if own else unsaid


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _said(regions: Sequence[Region], control: str) -> str:
    """The words in a TextArea or DateTime."""
    for value in values([region for region in regions if region.get("from_name") == control]):
        lines = map(string, _list(value.get("text", value.get("datetime"))))
        return "\n".join(filter(None, lines)).strip()[:MAX_WORDS]
    return ""


def _about(value: Any) -> Mapping[str, Any]:
    """An object, or one written as JSON text: imports from CSV have no other."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, Mapping) else {}


def _hash(case: Case, config: LabelConfig, look: Look | None) -> int:
    (reading,) = readings_of(config, config[case.control], [case.data], look)
    return int.from_bytes(group_key(reading.key)[:8])


def _key(case: Case, config: LabelConfig) -> str:
    kind = kind_of(config[case.control])
    return kind.key(case.answer) if kind else ""


def _last(line: re.Pattern[str], text: object) -> str | None:
    found = list(line.finditer(text.replace("\r\n", "\n"))) if isinstance(text, str) else []
    return found[-1]["name"] if found else None
