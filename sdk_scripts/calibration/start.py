"""`tiebreak calibrate start`: plan a round, and make one blind project for each of its people."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ml_backend.cases import policy_version
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.results import project_key
from ml_backend.roles import role_of
from sdk_scripts import wording
from sdk_scripts.alone import alone
from sdk_scripts.calibration.blind import blind_data
from sdk_scripts.calibration.planned import library_of, plan_round
from sdk_scripts.calibration.rounds import Plan, Round, chance, item_key, rounds_of
from sdk_scripts.calibration.sample import Candidate, Sample
from sdk_scripts.evidence import Evidence
from sdk_scripts.satellites import ITEM, About, fill, items_of, make_satellite

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio
    from sdk_scripts.sources import Dataset

_NAME = re.compile(r"\w(?:[\w .-]{0,38}[\w.-])?")
_SEATS = "Label Studio's Organization page has a link to invite them with; they sign up there, then run it again."


@dataclass(frozen=True)
class Person:
    annotator: str
    project: int | None
    url: str
    there: int
    """Tasks that were in the project before."""
    missing: int
    """Tasks that are to be put there; with `applied` they were."""


@dataclass(frozen=True)
class Started:
    """What was done, or would be."""

    plan: Plan
    people: tuple[Person, ...]
    sample: Sample | None
    """None where the round was there."""
    gone: int
    """Tasks of the plan that are nowhere any more."""
    notes: tuple[str, ...]
    applied: bool

    @property
    def pending(self) -> bool:
        return not self.applied and any(it.missing or it.project is None for it in self.people)

    def to_json(self) -> dict[str, Any]:
        chosen = self.sample.chosen if self.sample else ()
        before = Counter(who for it in chosen for who in it.judged_by)
        return {
            "round": self.plan.name,
            "policy": self.plan.policy,
            "tasks": len(self.plan.items),
            "strata": dict(Counter(self.plan.items.values())),
            "short": [it.to_json() for it in self.sample.short] if self.sample else [],
            "judged_before": dict(sorted(before.items())),
            "labels": _labels(chosen, parse(self.plan.label_config)),
            "annotators": [
                {"annotator": it.annotator, "project": it.project, "url": it.url, "tasks": it.there + it.missing}
                | {"created": it.missing}
                for it in self.people
            ],
            "was_there": self.sample is None,
            "gone": self.gone,
            "notes": list(self.notes),
            "applied": self.applied,
        }


def start(
    dataset: Dataset,
    settings: Settings,
    people: Sequence[str],
    *,
    name: str = "",
    size: int | None = None,
    seed: int = 0,
    apply: bool = False,
    evidence: Evidence | None = None,
    report: Callable[[str], object] = lambda message: None,
) -> Started:
    """Start a round, or complete one that was cut short; what is there stays as it is.

    Without a name it is the newest round where that has the same people and guidelines and is not answered yet, else a
    new one. Which tasks it asks about follows from source, name and seed. Raises InputError for a file, for people
    whom Label Studio does not know or fewer than two, for a name that stands for other people or another number of
    tasks, and for fewer different texts than asked for; StudioError.
    """
    studio, source = _source(dataset)
    if name and not _NAME.fullmatch(name):
        raise InputError(
            f"{wording.quoted(name)} cannot name a round.",
            mend="Give up to 40 letters, digits, spaces, dots and dashes.",
        )
    asked = _people(people, studio)
    with alone(settings, f"calibration-of-{source['id']}") if apply else nullcontext():
        known = rounds_of(studio, source)
        current = _current(known, studio, source, asked, name, size)
        sample, notes = None, tuple[str, ...]()
        evidence = evidence or Evidence.collect(dataset, settings)
        if current is None:
            current, sample, notes = plan_round(evidence, source, known, asked, name, size, seed)
        elif current.plan.policy != policy_version(source):
            notes = ("The guidelines have changed since; the round keeps those it was made with.",)
        for note in notes:
            report(note)
        return _make(studio, evidence, current, sample, notes, apply)


def _source(dataset: Dataset) -> tuple[Studio, dict[str, Any]]:
    if dataset.studio is None or dataset.project is None:
        raise InputError(
            f"{dataset.name} is a file; a calibration round needs a project of Label Studio.",
            mend="Give the project's id or its project.yaml.",
        )
    if not role_of(dataset.project).learns:
        raise InputError(
            f"Project {dataset.project['id']} is a review project, a case library, or belongs to another project.",
            mend="Give the source project.",
        )
    return dataset.studio, dataset.project


def _people(people: Sequence[str], studio: Studio) -> tuple[str, ...]:
    asked = tuple(dict.fromkeys(it.strip().lower() for it in people if it.strip()))
    if len(asked) < 2:
        raise InputError(
            f"{len(asked)} annotator{'s' * (len(asked) != 1)} cannot agree or differ.",
            mend="Name two or more: --annotators a@example.com,b@example.com.",
        )
    accounts = {email.lower() for email in studio.annotators().values()}
    if strangers := [it for it in asked if it not in accounts]:
        raise InputError(f"Label Studio has no account of {', '.join(strangers)}.", mend=_SEATS)
    return asked


def _current(
    known: Sequence[Round],
    studio: Studio,
    source: Mapping[str, Any],
    people: tuple[str, ...],
    name: str,
    size: int | None,
) -> Round | None:
    """The round that is meant, where it is there."""
    if not name:
        newest = known[-1] if known else None
        same = newest is not None and set(newest.plan.people) == set(people) and size in (None, len(newest.plan.items))
        same = same and newest is not None and newest.plan.policy == policy_version(source)
        return newest if same and newest is not None and not _answered(studio, newest) else None
    found = next((it for it in known if it.plan.name == name), None)
    if found is None:
        return None
    if set(found.plan.people) != set(people):
        raise InputError(
            f"The round {name!r} is that of {', '.join(found.plan.people)}.",
            mend="Name these people, or give the new round another name.",
        )
    if size not in (None, len(found.plan.items)):
        raise InputError(
            f"The round {name!r} has {len(found.plan.items)} tasks, not {size}.",
            mend="Leave --size out, or give the new round another name.",
        )
    return found


def _answered(studio: Studio, round: Round) -> bool:
    """Whether everybody has all tasks, and has answered or skipped them."""
    if len(round.satellites) < len(round.plan.people):
        return False
    for satellite in round.satellites.values():
        tasks = items_of(studio.tasks(satellite.id))
        if len(tasks) < len(round.plan.items) or not all(task["annotations"] for task in tasks.values()):
            return False
    return True


def _make(
    studio: Studio, evidence: Evidence, round: Round, sample: Sample | None, notes: tuple[str, ...], apply: bool
) -> Started:
    """Each person's project and its tasks; what there is of either stays."""
    plan, source = round.plan, evidence.dataset.project or {}
    key = project_key(source)
    keys = {item_key(key, plan.name, item): item for item in plan.items}
    there = {who: items_of(studio.tasks(it.id)) for who, it in round.satellites.items()}
    data = _data(evidence, plan, {keys[k]: it for tasks in there.values() for k, it in tasks.items() if k in keys})
    people = []
    for who in plan.people:
        satellite = round.satellites.get(who)
        before = there.get(who, {}).keys() & keys.keys()
        new = [
            {"data": {**data[keys[it]], ITEM: it}}
            for it in sorted(keys, key=lambda it: chance(key, plan.name, who, it))
            if it not in before and keys[it] in data
        ]
        if apply and (satellite is None or new):
            satellite = make_satellite(
                studio,
                source,
                About(key, "calibration", plan.name, who, plan.policy, plan.more()),
                title=f"{who}: {plan.name} of {source.get('title') or source['id']}",
                label_config=plan.label_config,
                instruction=plan.instruction,
                description=f"Calibration round {wording.short(plan.name)} for {who} alone: please answer without "
                "asking the others.",
            )
            fill(studio, satellite, new)
        id = satellite.id if satellite else None
        url = studio.data_manager(id) if id is not None else ""
        people.append(Person(who, id, url, len(before), len(new)))
    return Started(plan, tuple(people), sample, len(plan.items.keys() - data.keys()), notes, apply)


def _data(evidence: Evidence, plan: Plan, there: Mapping[int, Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """Item -> what the screen shows of it; first as somebody has it already, as all are to see the same."""
    wanted = plan.items.keys()
    found: dict[int, Mapping[str, Any]] = {item: task["data"] for item, task in there.items()}
    if missing := wanted - found.keys():
        found |= {item: evidence.tasks[item].data for item in missing if item in evidence.tasks}
    if any(item < 0 for item in wanted - found.keys()):
        found |= {-it.task: it.data for it in library_of(evidence) if -it.task in wanted and -it.task not in found}
    return {item: blind_data(data, plan.label_config) for item, data in found.items()}


def _labels(chosen: Sequence[Candidate], config: LabelConfig) -> dict[str, dict[str, int]]:
    """Control -> label -> how many tasks most likely have it."""
    found: dict[str, Counter[str]] = {}
    for it in chosen:
        for control, key in it.labels.items():
            found.setdefault(control, Counter())[wording.show_key(config[control], key)] += 1
    return {control: dict(counts.most_common()) for control, counts in sorted(found.items())}
