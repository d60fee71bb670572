"""Pre-labeling in bulk: the live version's predictions, pushed to the tasks that do not have them yet.

Label Studio's own "Retrieve predictions" sends all tasks in one request and gives up after 100 seconds. This cuts the
project into shards of task ids; each is read page by page, predicted, and pushed in one bulk call, here or by as many
workers as run (`prelabel_jobs`). What is done is asked of Label Studio, so it goes on where it stopped, and memory is
that of one shard. One push into a project runs at a time, looking first at what is there, so no task gets a version's
prediction twice, even where two predict the same shard.

What becomes of older predictions is `stale_predictions`' business.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import redis
import structlog

from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import ModelUnavailable, QueueUnavailable, StudioError
from ml_backend.prelabel_state import NOT_ALL, PrelabelState, Push, Shard
from ml_backend.project_state import count_labels
from ml_backend.settings import Settings
from sdk_scripts.stale_predictions import ON_SCREEN_SECONDS

if TYPE_CHECKING:
    import numpy as np

    from ml_backend.queues import Jobs
    from ml_backend.studio import Studio

log = structlog.get_logger(__name__)

TASKS_A_PREDICTION = 500
"""Tasks handed to the model at once."""
PREDICTIONS_A_PUSH = 10_000
"""And tasks a shard. Each push makes Label Studio count all predicted tasks anew, so there are few."""
REASONS_KEPT = 20
RECOUNT_SECONDS = 120.0
REDIS_TRIES = 10

Progress = Callable[[int, int], object]
"""Called with the tasks done so far, and all there are to do."""


class Answers(Protocol):
    @property
    def model_version(self) -> str: ...

    @property
    def results(self) -> Sequence[Mapping[str, Any]]: ...


class Doubts(Protocol):
    @property
    def model_version(self) -> str: ...

    @property
    def doubt(self) -> np.ndarray: ...

    @property
    def confidence(self) -> np.ndarray: ...

    @property
    def vectors(self) -> np.ndarray: ...


class Predicting(Protocol):
    """What is needed of `ml_backend.predictor.Predictor`."""

    def model_version(self, project: str, config: LabelConfig) -> str: ...

    def predict(self, project: str, config: LabelConfig, tasks: Sequence[Mapping[str, Any]]) -> Answers: ...

    def doubts(self, project: str, config: LabelConfig, tasks: Sequence[Mapping[str, Any]]) -> Doubts: ...


class Superseded(ModelUnavailable):
    """Another version is live than the one that was to predict."""

    def __init__(self, project: int, version: str, live: str) -> None:
        super().__init__(
            f"Version {version} of project {project} is not live; {live} is.",
            mend="Promote it first, or pre-label with the live one.",
        )
        self.live = live


@dataclass(frozen=True, slots=True)
class ShardOutcome:
    predicted: int = 0
    pushed: int = 0
    unanswered: int = 0
    """Tasks without a valid answer, which therefore stay without a prediction."""
    rejected: int = 0
    reasons: tuple[str, ...] = ()

    def __add__(self, other: ShardOutcome) -> ShardOutcome:
        return ShardOutcome(
            self.predicted + other.predicted,
            self.pushed + other.pushed,
            self.unanswered + other.unanswered,
            self.rejected + other.rejected,
            (*self.reasons, *other.reasons)[:REASONS_KEPT],
        )


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
        return {**asdict(self), "seconds": round(self.seconds, 3), "reasons": list(self.reasons)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> PrelabelOutcome:
        return cls(**{**fields, "reasons": tuple(fields["reasons"])})


@dataclass(frozen=True)
class Run:
    """One version's pre-labeling of one project."""

    studio: Studio
    project: Mapping[str, Any]
    """Label Studio's fields."""
    config: LabelConfig
    key: str
    version: str
    predictor: Predicting
    state: PrelabelState
    only_missing: bool = False

    @property
    def id(self) -> int:
        return int(self.project["id"])

    @property
    def labels(self) -> int:
        return count_labels(self.project)

    @property
    def lacking(self) -> str | None:
        """The version that a task to do lacks; None: any."""
        return None if self.only_missing else self.version

    def check_live(self) -> None:
        live = self.predictor.model_version(self.key, self.config)
        if live != self.version:
            raise Superseded(self.id, self.version, live)


def open_run(
    settings: Settings,
    project_id: int,
    jobs: Jobs,
    *,
    only_missing: bool = False,
    version: str | None = None,
    predictor: Predicting | None = None,
    studio: Studio | None = None,
) -> Run:
    """Raises Superseded where `version` is given and is not live."""
    from ml_backend.briefs import refresh_policy
    from ml_backend.labeling.results import project_key
    from ml_backend.model_registry import ModelRegistry
    from ml_backend.studio import Studio

    studio = studio or Studio.connect(settings)
    project = studio.project(project_id)
    config, key = parse(project["label_config"]), project_key(project)
    refresh_policy(ModelRegistry(settings.models), project)
    predictor = predictor or _predictor(settings)
    live = predictor.model_version(key, config)
    state = PrelabelState(jobs.redis, key)
    if version not in (None, live):
        state.uncover(version)
        raise Superseded(project_id, str(version), live)
    return Run(studio, project, config, key, live, predictor, state, only_missing)


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
    """Predict, in this process, the tasks that lack a prediction of the live version, or with `only_missing` those that
    have none at all.

    Afterwards the version becomes the project's `model_version` if all predicted tasks have it. A second run pushes
    nothing. Raises Superseded where `version` is given and is not live, or where another becomes live meanwhile (what
    was pushed stays); ModelUnavailable where no prediction fits the label config; StudioError where Label Studio does
    not have in the end what was pushed; QueueUnavailable without Redis, where runs take turns.
    """
    from ml_backend.queues import Jobs
    from ml_backend.redis_connection import reaching

    with Jobs(settings) as jobs, reaching():
        run = open_run(
            settings,
            project_id,
            jobs,
            only_missing=only_missing,
            version=version,
            predictor=predictor,
            studio=studio,
        )
        return prelabel_here(jobs, run, progress=progress)


def prelabel_here(jobs: Jobs, run: Run, *, progress: Progress | None = None) -> PrelabelOutcome:
    """Every shard, one after the other, and the end of it."""
    started = time.perf_counter()
    shards = run.studio.ranges(run.id, PREDICTIONS_A_PUSH)
    to_do = run.studio.count_without(run.id, run.lacking) if progress else 0
    found, done = ShardOutcome(), 0

    def tell(tasks: int) -> None:
        nonlocal done
        done += tasks
        if progress:
            progress(done, max(to_do, done))

    for shard in shards:
        found += _surviving(jobs, partial(predict_shard, run, shard, tell=tell))
    return replace(finish(run, shards, found), seconds=time.perf_counter() - started)


def predict_shard(run: Run, shard: Shard, *, tell: Callable[[int], object] | None = None) -> ShardOutcome:
    """Predict and push what the shard lacks; `tell` is called with the tasks of each batch, once they are done."""
    with run.state.shard(run.version, shard):
        found, waiting = ShardOutcome(), []
        for tasks in _chunks(run.studio.tasks_without(run.id, run.lacking, between=shard), TASKS_A_PREDICTION):
            answers = run.predictor.predict(run.key, run.config, tasks)
            if answers.model_version != run.version:
                raise Superseded(run.id, run.version, answers.model_version)
            good, bad = _checked(tasks, answers.results, run.version, run.config)
            waiting += good
            pushed = 0
            if len(waiting) >= PREDICTIONS_A_PUSH:
                pushed, waiting = _push(run, waiting), []
            unanswered = len(tasks) - len(good)
            found += ShardOutcome(len(good), pushed, unanswered, len(bad), tuple(bad[:REASONS_KEPT]))
            if tell:
                tell(len(tasks))
        return found + ShardOutcome(pushed=_push(run, waiting)) if waiting else found


def _surviving(jobs: Jobs, work: Callable[[], ShardOutcome]) -> ShardOutcome:
    """Redis may be started again meanwhile; what was pushed before is found in Label Studio."""
    for _ in range(REDIS_TRIES):
        try:
            return work()
        except redis.RedisError as error:
            log.warning("Redis does not answer", why=str(error))
            time.sleep(1)
            with suppress(QueueUnavailable):
                jobs.revive()
    return work()


def _push(run: Run, predictions: Sequence[Mapping[str, Any]]) -> int:
    ids = [prediction["task"] for prediction in predictions]
    push = Push(run.version, min(ids), max(ids), len(ids))

    def arrived(before: Push) -> int:
        return run.studio.count_with(run.id, before.version, between=(before.first, before.last))

    with run.state.pushing(push, arrived):
        run.check_live()
        return run.studio.import_predictions(run.id, predictions)


def finish(run: Run, shards: Sequence[Shard], found: ShardOutcome) -> PrelabelOutcome:
    """Verify what Label Studio has, and make the version the project's where every predicted task has it."""
    studio, id, version = run.studio, run.id, run.version
    if forgotten := studio.recount(id, version, seconds=RECOUNT_SECONDS):
        log.warning("Label Studio had not counted predictions that it has", project=id, tasks=forgotten)
    total = studio.task_count(id)
    stored = studio.model_versions(id).get(version, 0)
    if found.rejected:
        log.warning("predictions rejected", project=id, rejected=found.rejected, reasons=found.reasons[:3])
    if found.rejected and not stored:
        raise ModelUnavailable(
            f"None of the predictions of {version} fit the label config of project {id}: {found.reasons[0]}.",
            mend="Train anew: the label config has changed since.",
        )
    if shards:
        left = studio.count_without(id, run.lacking, between=(shards[0][0], shards[-1][1]))
        if left > found.unanswered:
            raise StudioError(
                f"{left - found.unanswered} tasks of project {id} lack the prediction of {version} that Label Studio "
                "took.",
                mend="Were some deleted meanwhile? Run it again; it pushes what is missing.",
            )
    on_screen = 0
    if stored > total - studio.count_without(id, version):
        # Label Studio asked the backend meanwhile. It refuses the work of who has one on the screen that was deleted.
        old = datetime.now(UTC) - timedelta(seconds=ON_SCREEN_SECONDS)
        for double, made in list(studio.doubles(id, version)):
            if made < old:
                studio.delete_prediction(double)
            else:
                on_screen += 1
    run.check_live()
    shown = run.project["model_version"] == version
    if stored and not (run.only_missing and stored < studio.task_count(id, predicted=True)):
        if not shown:
            studio.update_project(id, {"model_version": version})
        run.state.shown(version)
        all_seen = studio.newest_task(id) <= (shards[-1][1] if shards else 0)
        run.state.cover(version, total if all_seen else NOT_ALL, seconds=ON_SCREEN_SECONDS if on_screen else None)
        shown = True
    skipped = max(total - found.predicted, 0)
    return PrelabelOutcome(
        total, found.predicted, found.pushed, skipped, 0.0, version, shown, found.rejected, found.reasons
    )


def _predictor(settings: Settings) -> Predicting:
    from ml_backend.encoder import load_encoder
    from ml_backend.model_registry import ModelRegistry
    from ml_backend.predictor import Predictor

    secret = settings.policy_secret.get_secret_value()
    return Predictor(ModelRegistry(settings.models), load_encoder(settings), policy_secret=secret)


def _checked(
    tasks: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]], version: str, config: LabelConfig
) -> tuple[list[dict[str, Any]], list[str]]:
    """The predictions that can be sent, and what is wrong with each of the others. `{}` is no prediction; one without
    regions is: of a task that people label blind."""
    from ml_backend.studio.checks import prediction_problems

    good: list[dict[str, Any]] = []
    bad: list[str] = []
    for task, result in zip(tasks, results, strict=True):
        if "result" not in result:
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


def _chunks(items: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
