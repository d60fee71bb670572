"""Pre-labeling in bulk: the live version's predictions, pushed to the tasks that do not have them yet.

Label Studio's own "Retrieve predictions" sends all tasks in one request and gives up after 100 seconds; this reads
page by page, pushes through the bulk call, and goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import ModelUnavailable, StudioError, StudioNotFound
from ml_backend.settings import Settings

if TYPE_CHECKING:
    from ml_backend.studio import Studio

log = structlog.get_logger(__name__)

TASKS_A_PREDICTION = 500
"""Tasks handed to the model at once."""
PREDICTIONS_A_PUSH = 10_000
"""Each push makes Label Studio count the whole project anew, so there are few; a crash loses one at most."""
REASONS_KEPT = 20

Progress = Callable[[int, int], object]
"""Called with the tasks done so far, and all there are to do."""


class Answers(Protocol):
    @property
    def model_version(self) -> str: ...

    @property
    def results(self) -> Sequence[Mapping[str, Any]]: ...


class Predicting(Protocol):
    """What is needed of `ml_backend.predictor.Predictor`."""

    def model_version(self, project: str, config: LabelConfig) -> str: ...

    def predict(self, project: str, config: LabelConfig, tasks: Sequence[Mapping[str, Any]]) -> Answers: ...


class Superseded(ModelUnavailable):
    """Another version is live than the one that was to predict."""

    def __init__(self, project: int, version: str, live: str) -> None:
        super().__init__(
            f"Version {version} of project {project} is not live; {live} is.",
            mend="Promote it first, or pre-label with the live one.",
        )
        self.live = live


@dataclass(frozen=True, slots=True)
class PrelabelOutcome:
    tasks: int
    """Of the project."""
    predicted: int
    """Those the model answered in this run."""
    pushed: int
    """Predictions stored in this run."""
    skipped: int
    """Tasks left alone: they had their prediction, or the model has no valid answer for them."""
    seconds: float
    version: str
    shown: bool
    """Whether Label Studio shows this version's scores, and Uncertainty sampling follows them."""
    rejected: int = 0
    """Predictions that did not fit the label config, and were not sent."""
    reasons: tuple[str, ...] = field(default=())
    """Why, for the first of them."""

    def to_json(self) -> dict[str, Any]:
        return {
            "tasks": self.tasks,
            "predicted": self.predicted,
            "pushed": self.pushed,
            "skipped": self.skipped,
            "seconds": round(self.seconds, 3),
            "version": self.version,
            "shown": self.shown,
            "rejected": self.rejected,
            "reasons": list(self.reasons),
        }


def prelabel(
    settings: Settings,
    project_id: int,
    *,
    only_missing: bool = False,
    version: str | None = None,
    predictor: Predicting | None = None,
    studio: Studio | None = None,
    progress: Progress | None = None,
) -> PrelabelOutcome:
    """Predict the tasks that lack a prediction of the live version, or with `only_missing` those that have none at all.

    Afterwards the version becomes the project's `model_version` if all predicted tasks have it. A second run pushes
    nothing. Raises Superseded where `version` is given and is not live, or where another becomes live meanwhile (what
    was pushed stays); ModelUnavailable where no prediction fits the label config; StudioError where Label Studio does
    not have in the end what was pushed.
    """
    from ml_backend.labeling.results import project_key
    from ml_backend.studio import Studio

    started = time.perf_counter()
    studio = studio or Studio.connect(settings)
    project = studio.project(project_id)
    config = parse(project["label_config"])
    key = project_key(project)
    predictor = predictor or _predictor(settings)
    live = predictor.model_version(key, config)
    if version not in (None, live):
        raise Superseded(project_id, str(version), live)

    before = studio.model_versions(project_id).get(live, 0)
    total = studio.task_count(project_id)
    to_do = max(total - before, 0)
    waiting: list[dict[str, Any]] = []
    done = predicted = pushed = rejected = 0
    reasons: list[str] = []
    for tasks in _chunks(_tasks_to_do(studio, project_id, live, only_missing), TASKS_A_PREDICTION):
        answers = predictor.predict(key, config, tasks)
        if answers.model_version != live:
            raise Superseded(project_id, live, answers.model_version)
        good, bad = _checked(tasks, answers.results, live, config)
        predicted += len(good)
        waiting += good
        rejected += len(bad)
        reasons += bad[: REASONS_KEPT - len(reasons)]
        if len(waiting) >= PREDICTIONS_A_PUSH:
            pushed += studio.import_predictions(project_id, waiting)
            waiting = []
        done += len(tasks)
        if progress:
            progress(done, max(to_do, done))
    if waiting:
        pushed += studio.import_predictions(project_id, waiting)
    if rejected:
        log.warning("predictions rejected", project=project_id, version=live, rejected=rejected, reasons=reasons[:3])
    if rejected and not predicted and not before:
        raise ModelUnavailable(
            f"None of the predictions of {live} fit the label config of project {project_id}: {reasons[0]}.",
            mend="Train anew: the label config has changed since.",
        )
    shown = _show(studio, project, live, before + pushed, only_missing=only_missing)
    seconds = time.perf_counter() - started
    return PrelabelOutcome(
        total, predicted, pushed, max(total - predicted, 0), seconds, live, shown, rejected, tuple(reasons)
    )


def prelabel_job(project_id: int, version: str) -> dict[str, Any]:
    """The RQ job after a promotion. Another version made live meanwhile has a job of its own: this one then ends."""
    from ml_backend.jobs import job_settings

    try:
        outcome = prelabel(job_settings(), project_id, version=version)
    except Superseded as error:
        log.info("not pre-labeled", project=project_id, version=version, live=error.live)
        return {"superseded_by": error.live}
    except StudioNotFound as error:  # deleted meanwhile: trying again would change nothing
        log.info("not pre-labeled", project=project_id, version=version, why=error.what)
        return {"error": error.what}
    log.info("pre-labeled", project=project_id, version=version, pushed=outcome.pushed, seconds=outcome.seconds)
    return outcome.to_json()


def _predictor(settings: Settings) -> Predicting:
    from ml_backend.encoder import load_encoder
    from ml_backend.model_registry import ModelRegistry
    from ml_backend.predictor import Predictor

    return Predictor(ModelRegistry(settings.models), load_encoder(settings))


def _tasks_to_do(studio: Studio, project: int, version: str, only_missing: bool) -> Iterator[dict[str, Any]]:
    if not only_missing:
        yield from studio.tasks_without(project, version)
        return
    yield from studio.tasks(project, unpredicted=True, data_only=True)


def _checked(
    tasks: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]], version: str, config: LabelConfig
) -> tuple[list[dict[str, Any]], list[str]]:
    """The predictions that can be sent, and what is wrong with each of the others. `{}` is no prediction."""
    from ml_backend.studio.checks import prediction_problems

    good: list[dict[str, Any]] = []
    bad: list[str] = []
    for task, result in zip(tasks, results, strict=True):
        if not result.get("result"):
            continue
        prediction = {
            "task": task["id"],
            "result": result["result"],
            "score": result.get("score"),
            "model_version": version,
        }
        problems = prediction_problems(prediction, config)
        if problems:
            bad.append(f"task {task['id']}: {'; '.join(problems)}")
        else:
            good.append(prediction)
    return good, bad


def _show(studio: Studio, project: Mapping[str, Any], version: str, expected: int, *, only_missing: bool) -> bool:
    """Verify what is stored and make the version the project's, where every predicted task has it."""
    id = project["id"]
    stored = studio.model_versions(id).get(version, 0)
    if stored < expected:
        raise StudioError(
            f"Label Studio has {stored} predictions of {version} in project {id}, not the {expected} that it took.",
            mend="Were some deleted meanwhile? Run it again; it pushes what is missing.",
        )
    if not stored or (only_missing and stored < studio.task_count(id, predicted=True)):
        return project["model_version"] == version
    if project["model_version"] != version:
        studio.update_project(id, {"model_version": version})
    return True


def _chunks(items: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
