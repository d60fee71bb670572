"""Label Studio's JSON <-> Task, Annotation, Prediction, and the answers in a `result` list.

Reading forgives (a malformed region is as good as none), writing does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ml_backend.labeling.config import LabelConfig
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import Answer, Region, kind_of


@dataclass(frozen=True, slots=True)
class Annotation:
    id: int
    annotator: str
    """E-mail where the JSON has it, else the user id as text, else empty."""
    regions: tuple[Region, ...]
    cancelled: bool = False
    ground_truth: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None
    lead_time: float | None = None
    """Seconds."""
    parent_prediction: int | None = None
    """The prediction it was submitted from."""


@dataclass(frozen=True, slots=True)
class Prediction:
    id: int
    regions: tuple[Region, ...]
    score: float | None = None
    model_version: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    id: int
    data: Mapping[str, Any]
    annotations: tuple[Annotation, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)


def read_task(json: Mapping[str, Any], annotators: Mapping[int, str] | None = None) -> Task:
    """A task of Label Studio's API, webhooks, `/predict` bodies or JSON export (plain or snapshot).

    `annotators` maps user ids to e-mails for JSON that has only ids. Raises InputError where it is not a task at all.
    """
    if not isinstance(json, Mapping) or not isinstance(json.get("data"), Mapping):
        raise InputError("This is not a Label Studio task: it has no `data` object.")
    return Task(
        id=_whole(json.get("id")) or 0,
        data=json["data"],
        annotations=tuple(
            read_annotation(item, annotators)
            for item in json.get("annotations") or ()
            if isinstance(item, Mapping) and isinstance(item.get("result"), list)
        ),
        predictions=tuple(
            read_prediction(item)
            for item in json.get("predictions") or ()
            if isinstance(item, Mapping)  # a plain export lists ids only
        ),
        meta=meta if isinstance(meta := json.get("meta"), Mapping) else {},
    )


def read_annotation(json: Mapping[str, Any], annotators: Mapping[int, str] | None = None) -> Annotation:
    who = json.get("completed_by")
    if isinstance(who, Mapping):
        annotator = str(who.get("email") or who.get("id") or "")
    else:
        annotator = (annotators or {}).get(_whole(who) or -1) or ("" if who is None else str(who))
    lead_time = json.get("lead_time")
    return Annotation(
        id=_whole(json.get("id")) or 0,
        annotator=annotator,
        regions=_regions(json.get("result")),
        cancelled=bool(json.get("was_cancelled")),
        ground_truth=bool(json.get("ground_truth")),
        created_at=read_time(json.get("created_at")),
        updated_at=read_time(json.get("updated_at")),
        lead_time=float(lead_time) if isinstance(lead_time, int | float) and lead_time >= 0 else None,
        parent_prediction=_whole(json.get("parent_prediction")),
    )


def read_prediction(json: Mapping[str, Any]) -> Prediction:
    score = json.get("score")
    return Prediction(
        id=_whole(json.get("id")) or 0,
        regions=_regions(json.get("result")),
        score=float(score) if isinstance(score, int | float) else None,
        model_version=str(json.get("model_version") or ""),
    )


def answers(config: LabelConfig, regions: Iterable[Region]) -> dict[str, Answer]:
    """What a `result` list answers: control name -> answer. Controls asked per region have no answer of their own."""
    by_control: dict[str, list[Region]] = {}
    for item in regions:
        by_control.setdefault(str(item.get("from_name")), []).append(item)
    found: dict[str, Answer] = {}
    for control in config.answerable:
        kind = kind_of(control)
        if kind is None or control.name not in by_control:
            continue
        try:
            answer = kind.read(control, by_control[control.name])
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError):
            answer = None  # malformed: no answer
        if answer is not None:
            found[control.name] = answer
    return found


def write_answers(
    config: LabelConfig, given: Mapping[str, Answer], scores: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Answers as a `result` list; each region carries its control's score (in [0, 1]) where there is one."""
    regions: list[dict[str, Any]] = []
    for name, answer in given.items():
        control = config[name]
        kind = kind_of(control)
        if kind is None:
            raise InputError(f"Nothing can write an answer to <{control.tag} name={name!r}>.")
        for item in kind.write(control, answer):
            item.setdefault("id", f"{name}-{len(regions)}")
            if scores and name in scores:
                item["score"] = round(float(scores[name]), 6)
            regions.append(item)
    return regions


_INDEXED = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def text_of(data: Mapping[str, Any], fields: Sequence[str]) -> str:
    """The text behind these keys of task data, one field a line; empty where there is none.

    Numbers count as text. A Paragraphs dialogue (a list of objects) is its values, joined.
    """
    return "\n".join(text for field in fields if (text := _plain(lookup(data, field)).strip()))


def lookup(data: Mapping[str, Any], field: str) -> Any:
    """`$field`, `$a.b` and `$a[0]` of Label Studio's variables; None where the path leads nowhere."""
    if field in data:
        return data[field]
    value: Any = data
    for name, index in _INDEXED.findall(field):
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        return " ".join(filter(None, map(_plain, value.values())))
    if isinstance(value, Iterable):
        return "\n".join(filter(None, map(_plain, value)))
    return ""


def _regions(result: Any) -> tuple[Region, ...]:
    if not isinstance(result, list):
        return ()
    return tuple(item for item in result if isinstance(item, Mapping) and isinstance(item.get("value"), Mapping))


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def read_time(value: Any) -> datetime | None:
    """An ISO 8601 time with zone, or None."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
