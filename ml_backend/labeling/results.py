"""Label Studio's JSON <-> Task, Annotation, Prediction, and the answers in a `result` list.

Reading forgives (a malformed region is as good as none), writing does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from sys import intern
from typing import Any, TypeGuard

from ml_backend.labeling.config import PATH_SEPARATOR, Condition, Control, Label, LabelConfig, unambiguous
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import Answer, Region, finite, kind_of, label_of, region, string
from ml_backend.labeling.task_data import MAX_DEPTH, lookup, plain

_SAVING = timedelta(seconds=1)  # between the two times of an annotation that nobody changed since
_COMMON = ("from_name", "to_name", "type", "origin")
"""Keys of a region whose words are the same in many."""
_SAME: dict[Any, str] = {
    key: key for key in (*_COMMON, "id", "value", "score", "meta", "choices", "original_width", "original_height")
}
SEAL = "seal"
"""Key in a region's `meta.tiebreak` that says, to holders of the secret, in which arm the task is (`arms`)."""


@dataclass(frozen=True, slots=True)
class Prediction:
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
        return tuple(it for it in self.regions if not seal_of(it) or it.get("from_name") in self.plain)


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
    shown: Prediction | None = None
    """The prediction on the screen: that it was submitted from, else the project's at that time, which Label Studio
    keeps beside (exports have it, its API has not). None where there was none, or it is not known."""
    arm: str = ""
    """plain, blind or seeded (`arms.Arms.opened`), unknown where a seal cannot be opened; empty: nobody has looked."""
    seeded: frozenset[str] = frozenset()
    """Controls whose shown answer was wrong on purpose."""
    updated_by: str = ""
    """Who changed it last, as `annotator`."""

    def seen_in(self, arm: str, seeded: frozenset[str], shown: Prediction | None) -> Annotation:
        """What `replace` would give, in a third of the time."""
        return Annotation(
            self.id,
            self.annotator,
            self.regions,
            self.cancelled,
            self.ground_truth,
            self.created_at,
            self.updated_at,
            self.lead_time,
            self.parent_prediction,
            shown,
            arm,
            seeded,
            self.updated_by,
        )

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
        return are_told(self.regions)


@dataclass(frozen=True, slots=True)
class Task:
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
        raise InputError("This is not a Label Studio task: it has no `data` object.")
    stored = _objects(json.get("predictions"))  # a plain export lists ids only
    predictions = tuple(map(read_prediction, stored))
    known = list(zip(stored, predictions, strict=True))
    return Task(
        id=_whole(json.get("id")) or 0,
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
        overlap=_whole(json.get("overlap")),
    )


def _seen(annotations: Iterable[Annotation], predictions: Sequence[Prediction]) -> tuple[Annotation, ...]:
    """With what was on the screen: where it was submitted from another prediction than the project's, that one. Those
    who saw the same share it, in memory."""
    known = {(it.id, it.model_version): it for it in predictions}
    found = []
    for it in annotations:
        shown, parent = it.shown, it.parent_prediction
        if parent is not None and (shown is None or shown.id != parent):
            shown = next((stored for stored in reversed(predictions) if stored.id == parent), None)
        elif shown is not None:
            first = known.setdefault((shown.id, shown.model_version), shown)
            shown = first if first is shown or first == shown else shown
        found.append(it if shown is it.shown else it.seen_in(it.arm, it.seeded, shown))
    return tuple(found)


def read_annotation(
    json: Mapping[str, Any],
    annotators: Mapping[int, str] | None = None,
    known: list[tuple[Mapping[str, Any], Prediction]] | None = None,
) -> Annotation:
    """`known` are predictions that were read before, to which what was shown is added: most of a task's annotations
    name the same."""
    lead_time = finite(json.get("lead_time"))
    return Annotation(
        id=_whole(json.get("id")) or 0,
        annotator=_annotator(json.get("completed_by"), annotators or {}),
        regions=_regions(json.get("result")),
        cancelled=bool(json.get("was_cancelled")),
        ground_truth=bool(json.get("ground_truth")),
        created_at=read_time(json.get("created_at")),
        updated_at=read_time(json.get("updated_at")),
        lead_time=float(lead_time) if lead_time is not None and lead_time >= 0 else None,
        parent_prediction=_whole(json.get("parent_prediction")),
        shown=_shown(json.get("prediction"), known),
        updated_by=_annotator(json.get("updated_by"), annotators or {}),
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
    score = finite(json.get("score"))
    return Prediction(
        id=_whole(json.get("id")) or 0,
        regions=_regions(json.get("result")),
        score=None if score is None else float(score),
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


def _annotator(who: Any, annotators: Mapping[int, str]) -> str:
    if who is None:
        return ""
    if type(who) is int:
        return annotators.get(who) or ("" if (user := _whole(who)) is None else str(user))
    email = string(who.get("email")) if _is_object(who) else string(who)
    if email:
        return intern(email)
    user = _whole(who.get("id") if _is_object(who) else who)
    return "" if user is None else annotators.get(user) or str(user)


def answers(config: LabelConfig, regions: Iterable[Region], *, hidden: bool = False) -> dict[str, Answer]:
    """What a `result` list answers: control name -> answer.

    Controls asked per region have no answer of their own, and a control that the other answers hide (`visibleWhen`)
    has none, whatever the regions say: nobody saw the question. With `hidden` it has: a decision answers one control
    alone.
    """
    by_control = regions_by_control(config, regions)
    found: dict[str, Answer] = {}
    for control in config.answerable:
        if control.name not in by_control or (kind := kind_of(control)) is None:
            continue
        answer = kind.read(control, by_control[control.name])
        if answer is not None:
            found[control.name] = answer
    return found if hidden else on_screen(config, found)


def regions_by_control(config: LabelConfig, regions: Iterable[Region]) -> dict[str, list[Region]]:
    """Regions by the control they answer. A `<Rectangle>` gets the labels that a `<Labels>` control gave the same
    region, which Label Studio stores as two regions with one id."""
    by_control: dict[str, list[Region]] = {}
    for item in regions:
        if isinstance(item, Mapping) and isinstance(name := item.get("from_name"), str):
            by_control.setdefault(name, []).append(item)
    for drawn, companion in config.labels_beside.items():
        if drawn not in by_control:
            continue
        labels = {
            item["id"]: item["value"]["labels"]
            for item in by_control.get(companion.name, ())
            if isinstance(item.get("id"), str) and isinstance(item.get("value"), Mapping) and "labels" in item["value"]
        }
        by_control[drawn] = [
            {**item, "value": {"labels": labels[item["id"]], **item["value"]}}
            if isinstance(item.get("value"), Mapping) and isinstance(item.get("id"), str) and item["id"] in labels
            else item
            for item in by_control[drawn]
        ]
    return by_control


def write_answers(
    config: LabelConfig, given: Mapping[str, Answer], scores: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Answers as a `result` list; each region carries its control's score (in [0, 1]) where there is one. Raises
    InputError for an answer that its control cannot hold, UnknownName for a control the config does not have."""
    regions: list[dict[str, Any]] = []
    for name, answer in given.items():
        control = config[name]
        kind = kind_of(control)
        if kind is None:
            raise InputError(
                f"Nothing can write an answer to <{control.tag} name={name!r}>.", mend="Leave the control out."
            )
        companion = config.labels_beside.get(name)
        for item in kind.write(control, answer):
            item.setdefault("id", f"{name}-{len(regions)}")
            if scores and name in scores:
                item["score"] = round(float(scores[name]), 6)
            regions.append(item)
            if companion is not None and (labels := item["value"].pop("labels", None)):
                labels = [label_of(companion, label).path[-1] for label in labels]
                regions.append(
                    {**item, **region(companion, {**item["value"], "labels": labels}, to_name=item["to_name"])}
                )
    return regions


def on_screen(config: LabelConfig, given: Mapping[str, Answer], *, when_unknown: bool = True) -> dict[str, Answer]:
    """The answers among these (control name -> answer) whose control is on the screen once they are given: whose
    conditions (`visibleWhen`) hold by answers that are themselves on it.

    `when_unknown` says whether a condition holds that answers do not decide, such as `region-selected`.
    """
    shown: set[str] = set()
    while new := [
        name
        for name in given
        if name not in shown and all(_holds(config, it, given, shown, when_unknown) for it in config[name].visible_when)
    ]:
        shown.update(new)  # which may bring those on the screen that depend on it
    return {name: answer for name, answer in given.items() if name in shown}


def _holds(
    config: LabelConfig, condition: Condition, given: Mapping[str, Answer], shown: set[str], when_unknown: bool
) -> bool:
    asked = next((control for control in config.answerable if control.name == condition.control), None)
    kind = kind_of(asked) if asked else None
    if asked is None or kind is None:
        return when_unknown
    if asked.name not in shown:
        return False
    wanted = set(condition.values)
    same = [label for label in asked.labels if wanted & {label.text, label.path[-1]}]
    wanted |= {label.key for label in same} | {PATH_SEPARATOR.join(label.path) for label in same}
    return not wanted or not wanted.isdisjoint(kind.labels(given[asked.name]))


def with_task_labels(control: Control, data: Mapping[str, Any]) -> Control:
    """The control as a task's annotator sees it: with the labels its task data brings (`value="$field"`: a list of
    objects with value, alias, hint, hotkey and children), and with `<Choice value="$field">` filled in."""
    if not control.open:
        return control
    labels = []
    for label in control.labels:
        words = _from_data(label.text, data)
        path = label.path if label.path[-1] != label.text else (*label.path[:-1], words)
        labels.append(replace(label, path=path, text=words, key="") if words else label)
    if control.dynamic_field is not None:
        labels += _task_labels(lookup(data, control.dynamic_field), ())
    return replace(control, labels=unambiguous(tuple(labels)))


def _task_labels(items: Any, above: tuple[str, ...]) -> Iterator[Label]:
    for item in items if isinstance(items, list) and len(above) < MAX_DEPTH else ():
        if not isinstance(item, Mapping):
            continue
        words = string(item.get("value")) or string(item.get("alias"))
        if words:
            path = (*above, string(item.get("alias")) or words)
            yield Label(path, words, string(item.get("hint")) or "", string(item.get("hotkey")) or "")
            yield from _task_labels(item.get("children"), path)


def _from_data(words: str, data: Mapping[str, Any]) -> str:
    return plain(lookup(data, words[1:])) if words.startswith("$") else words


def _regions(result: Any) -> tuple[Region, ...]:
    return tuple([_lean(item) for item in _objects(result) if _is_object(item.get("value"))])


def _lean(item: Region) -> Region:
    """The same; what most regions of a project have in common is one object in memory."""
    if type(item) is not dict:
        return item
    lean = {_SAME.get(key) or key: word for key, word in item.items()}
    for key in _COMMON:
        if type(word := lean.get(key)) is str:
            lean[key] = intern(word)
    value = lean["value"]
    picked = value.get("choices") if len(value) == 1 else None
    if type(picked) is list and len(picked) == 1 and type(picked[0]) is str:
        lean["value"] = _one_choice(picked[0])
    return lean


@lru_cache(maxsize=10_000)
def _one_choice(label: str) -> Region:
    return {"choices": [label]}


def _objects(items: Any) -> list[Mapping[str, Any]]:
    return [item for item in items if _is_object(item)] if isinstance(items, list | tuple) else []


def _is_object(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return type(value) is dict or isinstance(value, Mapping)  # asking for the type alone is ten times as fast


def _whole(value: Any) -> int | None:
    """An id that a 64-bit column holds."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def project_key(json: Mapping[str, Any]) -> str:
    """A project's `"<id>.<created, Unix seconds>"`, as Label Studio writes it to `/setup` and `/predict`.

    Raises InputError where the JSON is not a project's.
    """
    id, created = _whole(json.get("id")), read_time(json.get("created_at"))
    if id is None or id < 0 or created is None:
        raise InputError("This is not a Label Studio project: it has no `id` and `created_at`.")
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
