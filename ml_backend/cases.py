"""The case library: settled hard cases that every model version is tried on and none is trained on.

It is a project of Label Studio like any other, whose description has the line

    tiebreak cases: <name of the source project>

the name being that of the source's own line `tiebreak: <name>`. Each of its tasks has a source task's data and one
ground-truth annotation in the same controls; `data.tiebreak_case` may say `{"severity": …, "expires": "2027-01-31",
"policy": …}`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog

from ml_backend.images import Look
from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.kinds import Answer, kind_of
from ml_backend.labeling.results import answers, read_task, read_time, string
from ml_backend.prelabelers import group_key, readings_of

if TYPE_CHECKING:
    from ml_backend.studio import Studio

log = structlog.stdlib.get_logger()

DATA_KEY = "tiebreak_case"
_NAME = r"(?P<name>[a-z0-9][a-z0-9_.-]{0,62})"
_SOURCE = re.compile(rf"^[ \t]*tiebreak: {_NAME}(?: \([^()\n]*\))?[ \t]*$", re.MULTILINE)
_LIBRARY = re.compile(rf"^[ \t]*tiebreak cases: {_NAME}[ \t]*$", re.MULTILINE)
_TAG = re.compile(r"<[^>]*>")


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

    @property
    def place(self) -> str:
        """As in the address of the task in Label Studio."""
        return f"projects/{self.project}/data?task={self.task}"


def read_cases(studio: Studio, project: Mapping[str, Any], config: LabelConfig, now: datetime) -> list[Case]:
    """The project's cases that hold at `now`, in order of task; none where it has no library.

    `project` is the source as Label Studio's API returns it, `config` its label config. Tasks without a readable
    ground-truth annotation are passed over. Raises StudioError.
    """
    name = _last(_SOURCE, project.get("description"))
    if name is None:
        return []
    libraries = [it["id"] for it in studio.projects() if _last(_LIBRARY, it.get("description")) == name]
    found = [case for id in libraries for task in studio.tasks(id) for case in _cases(id, task, config)]
    return [case for case in found if case.expires is None or case.expires > now]


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


def _cases(library: int, json_task: Mapping[str, Any], config: LabelConfig) -> Iterable[Case]:
    task = read_task(json_task)
    settled = [it for it in task.annotations if it.ground_truth and not it.cancelled]
    if not settled:
        return
    newest = max(settled, key=lambda it: (it.updated_at or datetime.min.replace(tzinfo=UTC), it.id))
    about = _about(task.data.get(DATA_KEY))
    expires = read_time(about.get("expires"))
    if about.get("expires") and expires is None:
        log.warning("a case's expiry is no date, so it does not expire", project=library, task=task.id)
    for control, answer in answers(config, newest.regions).items():
        yield Case(
            project=library,
            task=task.id,
            data=task.data,
            control=control,
            answer=answer,
            severity=str(about.get("severity") or ""),
            expires=expires,
            policy=str(about.get("policy") or ""),
        )


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
