"""Label Studio's JSON -> Task, Annotation, Prediction. Reading forgives: a malformed region is as good as none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from sys import intern
from typing import Any, TypeGuard

from msgspec import Struct, field
from msgspec.structs import replace

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import Region, finite, string

_SAVING = timedelta(seconds=1)  # between the two times of an annotation that nobody changed since
_COMMON = ("from_name", "to_name", "type", "origin")
"""Keys of a region whose words are the same in many."""
_SAME: dict[Any, str] = {
    key: key for key in (*_COMMON, "id", "value", "score", "meta", "choices", "original_width", "original_height")
}
SEAL = "seal"
"""Key in a region's `meta.tiebreak` that says, to holders of the secret, in which arm the task is (`arms`)."""


class Prediction(Struct, frozen=True):
    id: int
    regions: tuple[Region, ...]
    score: float | None = None
    model_version: str = ""
    plain: frozenset[str] = frozenset()
    """Controls whose seal was opened, and says that the answer is the model's (`arms.Arms.opened`)."""

    @property
    def own(self) -> tuple[Region, ...]:
        """The regions that say what the model thinks: those under a seal only where it says so."""
        if not are_told(self.regions):
            return self.regions
        return tuple(it for it in self.regions if not seal_of(it) or str(it.get("from_name")) in self.plain)


class Annotation(Struct, frozen=True):
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
    shown: Prediction | None = None
    """The prediction on the screen: that it was submitted from, else the project's at that time, which Label Studio
    keeps beside (exports have it, its API has not). None where there was none, or it is not known."""
    arm: str = ""
    """plain, blind or seeded (`arms.Arms.opened`), unknown where a seal cannot be opened; empty: nobody has looked."""
    seeded: frozenset[str] = frozenset()
    """Controls whose shown answer was wrong on purpose."""
    updated_by: str = ""
    """Who changed it last, as `annotator`."""
    told: bool | None = None
    """`are_told` of the regions, where it is known already."""

    @property
    def sealed(self) -> bool:
        """Whether what was shown says in a seal in which arm the task is."""
        shown = self.shown
        return (self._told and any(map(seal_of, self.regions))) or (
            shown is not None and are_told(shown.regions) and any(map(seal_of, shown.regions))
        )

    @property
    def machine(self) -> dict[str, str]:
        """Control -> key of the answer, where the machine wrote it by itself; people may have changed it since."""
        if not self._told:
            return {}
        marked = ((item, _mark(item)) for item in self.regions if item.get("meta"))
        return {str(item.get("from_name")): str(mark.get("answer")) for item, mark in marked if mark.get("machine")}

    @property
    def person(self) -> str:
        """Who answers for it, as `annotator`. Of what the machine wrote: who changed it since, else nobody (empty)."""
        if not self._told or not self.machine:
            return self.annotator
        times = self.created_at, self.updated_at
        edited = times[0] and times[1] and times[1] - times[0] > _SAVING
        return self.updated_by if edited else ""

    @property
    def automatic(self) -> bool:
        """Whether the machine wrote it, and nobody has changed it since."""
        return bool(self.machine) and not self.person

    @property
    def decided(self) -> bool:
        """Whether it is a review's decision rather than an annotator's judgement: a region's `meta.tiebreak` names the
        review. `ground_truth` does not tell, as Label Studio gives it to whatever is imported."""
        return self._told and any(map(is_decision, self.regions))

    @property
    def _told(self) -> bool:
        return are_told(self.regions) if self.told is None else self.told


class Task(Struct, frozen=True):
    id: int
    data: Mapping[str, Any]
    annotations: tuple[Annotation, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    overlap: int | None = None
    """How many people are to judge it; the API says it, an export does not."""


def read_task(json: Mapping[str, Any], annotators: Mapping[int, str] | None = None) -> Task:
    """A task of Label Studio's API, webhooks, `/predict` bodies or JSON export (plain or snapshot).

    `annotators` maps user ids to e-mails for JSON that has only ids. Raises InputError where it is not a task at all.
    """
    if not isinstance(json, Mapping) or not isinstance(json.get("data"), Mapping):
        raise InputError(
            "This is not a Label Studio task: it has no `data` object.", mend="Send tasks as Label Studio exports them."
        )
    stored = _objects(json.get("predictions"))  # a plain export lists ids only
    predictions = tuple(map(read_prediction, stored))
    known = list(zip(stored, predictions, strict=True))
    return Task(
        id=whole(json.get("id")) or 0,
        data=json["data"],
        annotations=_seen(
            (
                read_annotation(item, annotators, known)
                for item in _objects(json.get("annotations"))
                if isinstance(item.get("result"), list)
            ),
            predictions,
        ),
        predictions=predictions,
        meta=meta if isinstance(meta := json.get("meta"), Mapping) else {},
        created_at=read_time(json.get("created_at")),
        overlap=whole(json.get("overlap")),
    )


def _seen(annotations: Iterable[Annotation], predictions: Sequence[Prediction]) -> tuple[Annotation, ...]:
    known = {(it.id, it.model_version): it for it in predictions}
    found = []
    for it in annotations:
        shown = on_screen(it.shown, it.parent_prediction, predictions, known)
        found.append(it if shown is it.shown else replace(it, shown=shown))
    return tuple(found)


def on_screen(
    shown: Prediction | None,
    parent: int | None,
    predictions: Sequence[Prediction],
    known: dict[tuple[int, str], Prediction],
) -> Prediction | None:
    """What an annotation's author saw: where it was submitted from another prediction than the project's (`shown`),
    that one. Those who saw the same share it, in memory (`known`, which grows)."""
    if parent is not None and (shown is None or shown.id != parent):
        return next((stored for stored in reversed(predictions) if stored.id == parent), None)
    if shown is None:
        return None
    first = known.setdefault((shown.id, shown.model_version), shown)
    return first if first is shown or first == shown else shown


def read_annotation(
    json: Mapping[str, Any],
    annotators: Mapping[int, str] | None = None,
    known: list[tuple[Mapping[str, Any], Prediction]] | None = None,
) -> Annotation:
    """`known` are predictions that were read before, to which what was shown is added: most of a task's annotations
    name the same."""
    regions = _regions(json.get("result"))
    return Annotation(
        id=whole(json.get("id")) or 0,
        annotator=annotator_of(json.get("completed_by"), annotators or {}),
        regions=regions,
        cancelled=bool(json.get("was_cancelled")),
        ground_truth=bool(json.get("ground_truth")),
        created_at=read_time(json.get("created_at")),
        updated_at=read_time(json.get("updated_at")),
        lead_time=seconds(json.get("lead_time")),
        parent_prediction=whole(json.get("parent_prediction")),
        shown=_shown(json.get("prediction"), known),
        updated_by=annotator_of(json.get("updated_by"), annotators or {}),
        told=are_told(regions),
    )


def _shown(json: Any, known: list[tuple[Mapping[str, Any], Prediction]] | None) -> Prediction | None:
    if not _is_object(json) or not json.get("model_version"):
        return None
    for before, prediction in known or ():
        if before == json:
            return prediction
    prediction = read_prediction(json)
    if known is not None:
        known.append((json, prediction))
    return prediction


def read_prediction(json: Mapping[str, Any]) -> Prediction:
    return Prediction(
        id=whole(json.get("id")) or 0,
        regions=_regions(json.get("result")),
        score=number(json.get("score")),
        model_version=string(json.get("model_version")) or "",
    )


def are_told(regions: Iterable[Region]) -> bool:
    """Whether any has a `meta`, where Tiebreak writes: hardly ever, and asked of millions."""
    for item in regions:  # noqa: SIM110  # any() takes three times as long
        if item.get("meta"):
            return True
    return False


def seal_of(region: Region) -> str:
    """Empty where it has none."""
    return string(_mark(region).get(SEAL)) or ""


def is_decision(region: Region) -> bool:
    """Whether a review's decision says it."""
    return bool(_mark(region).get("review"))


def is_copy(region: Region) -> bool:
    """Whether Label Studio notes that it comes from a prediction, changed or not."""
    return region.get("origin") in ("prediction", "prediction-changed")


def _mark(region: Region) -> Mapping[str, Any]:
    """What Tiebreak wrote into a region."""
    meta = region.get("meta")
    if not meta:
        return {}
    about = meta.get("tiebreak") if _is_object(meta) else None
    return about if _is_object(about) else {}


def annotator_of(who: Any, annotators: Mapping[int, str]) -> str:
    if who is None:
        return ""
    if type(who) is int:
        return annotators.get(who) or ("" if (user := whole(who)) is None else str(user))
    email = string(who.get("email")) if _is_object(who) else string(who)
    if email:
        return intern(email)
    user = whole(who.get("id") if _is_object(who) else who)
    return "" if user is None else annotators.get(user) or str(user)


def _regions(result: Any) -> tuple[Region, ...]:
    return tuple([_copied(item) for item in _objects(result) if _is_object(item.get("value"))])


def _copied(item: Region) -> Region:
    if type(item) is not dict:
        return item
    return lean({_SAME.get(key) or key: word for key, word in item.items()})


def lean(region: dict[str, Any]) -> Region:
    """The same object, in which what most regions of a project have in common is one object in memory."""
    for key in _COMMON:
        if type(word := region.get(key)) is str:
            region[key] = intern(word)
    value = region["value"]
    picked = value.get("choices") if len(value) == 1 else None
    if type(picked) is list and len(picked) == 1 and type(picked[0]) is str:
        region["value"] = _one_choice(picked[0])
    return region


@lru_cache(maxsize=10_000)
def _one_choice(label: str) -> Region:
    return {"choices": [label]}


def _objects(items: Any) -> list[Mapping[str, Any]]:
    return [item for item in items if _is_object(item)] if isinstance(items, list | tuple) else []


def _is_object(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return type(value) is dict or isinstance(value, Mapping)  # asking for the type alone is ten times as fast


def whole(value: Any) -> int | None:
    """An id that a 64-bit column holds."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def number(value: Any) -> float | None:
    """A finite number."""
    if type(value) is float and -math.inf < value < math.inf:  # nearly all are: no need to ask further
        return value
    return None if (given := finite(value)) is None else float(given)


def seconds(value: Any) -> float | None:
    given = number(value)
    return given if given is not None and given >= 0 else None


def project_key(json: Mapping[str, Any]) -> str:
    """A project's `"<id>.<created, Unix seconds>"`, as Label Studio writes it to `/setup` and `/predict`.

    Raises InputError where the JSON is not a project's.
    """
    id, created = whole(json.get("id")), read_time(json.get("created_at"))
    if id is None or id < 0 or created is None:
        raise InputError(
            "This is not a Label Studio project: it has no `id` and `created_at`.",
            mend="Send the project as Label Studio's API returns it.",
        )
    return f"{id}.{math.floor(created.timestamp())}"


def read_time(value: Any) -> datetime | None:
    """An ISO 8601 time with zone, or None."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        if time.tzinfo is UTC:
            return time
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):  # the first hours of year 1, seen from the east
        return None
