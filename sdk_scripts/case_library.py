"""Putting settled answers into the case library, each case once, without losing what people edited there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ml_backend.cases import (
    DATA_KEY,
    EXPIRES,
    MAX_WORDS,
    UNSAID,
    USE,
    Use,
    case_data,
    cases_of,
    libraries_of,
    settled,
)
from ml_backend.labeling.answers import write_answers
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds import Region, kind_of
from ml_backend.labeling.results import read_task
from sdk_scripts.case_panel import panel_regions
from sdk_scripts.case_project import library_alone, library_project

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio


@dataclass(frozen=True, slots=True)
class NewCase:
    """A settled answer to one control of one task of the source."""

    task: int
    """The source task's id."""
    control: str
    key: str
    """The answer, as the kind's key."""
    severity: float | str = ""
    cause: str = ""
    clause: str = ""
    """Of the guidelines."""
    rationale: str = ""
    policy: str = ""
    """The policy version (`ml_backend.cases.policy_version`) it was settled under; such a case goes stale when the
    guidelines change. Empty: it never does."""
    review: str = ""
    """Names the decision, as in the contract of resolving; empty where there was none."""
    uses: tuple[Use, ...] = UNSAID
    expires: str = ""
    """A date, YYYY-MM-DD; empty for never."""


@dataclass(frozen=True, slots=True)
class Added:
    """What became of them."""

    created: int
    existing: int
    """Cases that were there, decided as they are."""
    updated: int
    """Cases that were there and have been decided again."""
    missing: tuple[int, ...]
    """Source tasks that are gone."""
    project: int | None
    """The library; None where there was nothing to put into one."""
    url: str

    def to_json(self) -> dict[str, Any]:
        return {
            "created": self.created,
            "existing": self.existing,
            "updated": self.updated,
            "missing": list(self.missing),
            "project": self.project,
            "url": self.url,
        }


def add_cases(studio: Studio, source: Mapping[str, Any], cases: Iterable[NewCase], settings: Settings) -> Added:
    """Put cases into the source project's library, made if it is not there. `source` is the project as Label Studio's
    API returns it.

    A case is known by its source task and control; of several decisions of one the last given counts. One that is there
    stays as people left it, unless a review decided it that the library has not heard of: then an annotation with the
    new answer becomes its ground truth, with the uses people chose; the one before stays as it is, and is no ground
    truth any more. Safe to repeat, also after it was cut short. Raises InputError, before anything is written, for an
    answer that the label config cannot hold, UnknownName for a control it does not have, and StudioError.
    """
    config = parse(str(source["label_config"]))
    decisions: dict[tuple[int, str], list[NewCase]] = {}
    for case in cases:
        decisions.setdefault((case.task, case.control), []).append(case)
    if not decisions:
        return Added(0, 0, 0, (), None, "")
    wanted = {task for task, _ in decisions}
    data = {it["id"]: it["data"] for it in studio.tasks(source["id"], ids=wanted, data_only=True)}
    regions = {
        (task, name): _regions(config, decided[-1]) for (task, name), decided in decisions.items() if task in data
    }
    created = updated = 0
    with library_alone(settings, source):
        project, xml = library_project(studio, source, settings)
        library = parse(xml)
        there = _by_case(studio, source)
        new: list[dict[str, Any]] = []
        for known, answered in regions.items():
            decided = decisions[known]
            if known in there:
                updated += _decide_again(studio, config, library, there[known], decided, answered)
                continue
            about = _about(source["id"], decided)
            panel = _panel(library, decided[-1])
            annotation = {"result": [*answered, *panel], "ground_truth": True}
            new.append({"data": {**data[known[0]], DATA_KEY: about}, "annotations": [annotation]})
        if new:
            created = studio.import_tasks(project, new)
            ours = {(about["source_task"], about["control"]) for about in map(_said, new)}
            created -= len(ours.intersection(_undoubled(studio, project)))
    return Added(
        created=created,
        existing=len(regions) - created - updated,
        updated=updated,
        missing=tuple(sorted(wanted - data.keys())),
        project=project,
        url=studio.data_manager(project),
    )


def _by_case(studio: Studio, source: Mapping[str, Any]) -> dict[tuple[Any, Any], dict[str, Any]]:
    """The library's tasks by what they are cases of."""
    tasks = (task for library in libraries_of(studio.projects(), source) for task in studio.tasks(library["id"]))
    return {(about.get("source_task"), about.get("control")): task for task in tasks if (about := _said(task))}


def _undoubled(studio: Studio, project: int) -> set[tuple[Any, Any]]:
    """The lock is one machine's: of a case that another has added at the same time the first stays, if nobody has
    touched the later one. Returns the cases that were there twice."""
    first: set[tuple[Any, Any]] = set()
    twice: dict[int, tuple[Any, Any]] = {}
    for task in studio.tasks(project):
        about = _said(task)
        case = (about.get("source_task"), about.get("control"))
        given = task["annotations"]
        if about and case in first and len(given) == 1 and given[0]["created_at"][:19] == given[0]["updated_at"][:19]:
            twice[task["id"]] = case
        first.add(case)
    if twice:
        studio.delete_tasks(project, twice)
    return set(twice.values())


def _said(task: Mapping[str, Any]) -> Mapping[str, Any]:
    return case_data(task["data"])


def _about(source: Any, decided: Sequence[NewCase]) -> dict[str, Any]:
    last = decided[-1]
    about = {
        "source_project": source,
        "source_task": last.task,
        "control": last.control,
        "severity": last.severity,
        "cause": last.cause[:MAX_WORDS],
        "policy": last.policy,
        "reviews": list(dict.fromkeys(case.review for case in decided if case.review)),
    }
    return {name: value for name, value in about.items() if value not in ("", [])}


def _panel(library: LabelConfig, case: NewCase) -> list[Region]:
    return panel_regions(library, uses=case.uses, clause=case.clause, rationale=case.rationale, expires=case.expires)


def _decide_again(
    studio: Studio,
    config: LabelConfig,
    library: LabelConfig,
    task: Mapping[str, Any],
    decided: Sequence[NewCase],
    answered: Sequence[Region],
) -> bool:
    """Whether the last decision is one that the library's task had not heard of. Its data is told last, so that what
    was cut short is done again."""
    said, last, stored = _said(task), decided[-1], read_task(task)
    heard = [review for review in said.get("reviews") or () if isinstance(review, str)]
    if not last.review or last.review in heard:
        return False
    before = settled(stored.annotations)
    if before is not None and last.key == _key(config, task):
        counts = before.id
    else:
        if before is None:
            panel = _panel(library, last)
        else:
            chosen = [dict(it) for it in before.regions if it.get("from_name") in (USE, EXPIRES)]
            panel = [*chosen, *panel_regions(library, clause=last.clause, rationale=last.rationale)]
        counts = studio.create_annotation(task["id"], {"result": [*answered, *panel], "ground_truth": True})["id"]
    for annotation in stored.annotations:
        if annotation.ground_truth and annotation.id != counts:
            studio.update_annotation(annotation.id, {"ground_truth": False})
    about = {**said, **_about(said.get("source_project"), decided)}
    about["reviews"] = list(dict.fromkeys([*heard, *about["reviews"]]))
    studio.update_task_data(task["id"], {**task["data"], DATA_KEY: about})
    return True


def _key(config: LabelConfig, task: Mapping[str, Any]) -> str | None:
    """The answer that counts, as the kind's key; None where the label config does not have it any more."""
    for case in cases_of(0, task, config, ""):
        kind = kind_of(config[case.control])
        return kind.key(case.answer) if kind else None
    return None


def _regions(config: LabelConfig, case: NewCase) -> list[Region]:
    """The answer as Label Studio stores it. Raises InputError where it cannot, UnknownName for no control."""
    kind = kind_of(config[case.control])
    try:
        answer = kind.from_key(case.key) if kind else None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        answer = None
    if answer is None:
        raise InputError(f"{case.key[:80]!r} is no answer to {case.control!r}.", mend="Give the key of an answer.")
    return list(write_answers(config, {case.control: answer}))
