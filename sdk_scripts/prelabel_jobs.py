"""Pre-labeling by workers: a job a shard, and a board in Redis that says which are done.

The job that does the last shard verifies the whole. A killed worker's shard is tried again by another; a job of a
version that is not live any more ends by itself. Whoever waits for a run takes it over where no worker is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import redis
import structlog
from rq import Retry

from ml_backend.labeling.errors import QueueUnavailable, StudioNotFound, TiebreakError
from ml_backend.prelabel_state import Shard
from ml_backend.queues import ROUTING, Jobs, shard_job_id
from ml_backend.redis_connection import reaching
from ml_backend.roles import role_of
from sdk_scripts import prelabel as here
from sdk_scripts.prelabel import PrelabelOutcome, Progress, Run, ShardOutcome, Superseded, open_run
from sdk_scripts.stale_predictions import out_of_date, tidy

if TYPE_CHECKING:
    from ml_backend.settings import Settings
    from ml_backend.studio import Studio

log = structlog.get_logger(__name__)

WORKER_SECONDS = 20.0
"""Without a worker for that long, whoever waits does the work."""
LOST_SECONDS = 10.0
"""A run of which neither a job nor the end is there for that long is planned anew."""
POLL_SECONDS = 0.5
UNCERTAINTY = "Uncertainty sampling"
TIDY_SECONDS = 120.0
"""A job's share of deleting; then other jobs have their turn."""
TIDY_HERE_SECONDS = 20.0
MORE = Retry(max=10_000, interval=1)


def prelabel(
    settings: Settings,
    project_id: int,
    *,
    only_missing: bool = False,
    wait: bool = True,
    studio: Studio | None = None,
    progress: Progress | None = None,
    report: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """Pre-label with the live version: by the workers that run, else in this process.

    Returns `PrelabelOutcome.to_json()`; without `wait`, `{job, version, workers}`. Raises as `prelabel.prelabel` does.
    """
    started = time.perf_counter()
    with Jobs(settings) as jobs, reaching():
        run = open_run(settings, project_id, jobs, only_missing=only_missing, studio=studio)
        workers = jobs.workers()
        if not wait:
            job = jobs.request_prelabeling(run.key, run.id, run.version, only_missing=only_missing)
            if not workers:
                report("No worker is running; start one with `tiebreak worker`.")
            return {"job": job, "version": run.version, "workers": workers}
        outcome = None
        if workers:
            report(f"{workers} worker{'s' * (workers > 1)} will pre-label project {run.id} with {run.version} …")
            outcome = _by_workers(jobs, run, progress)
            if outcome is None:
                report("No worker is left, so this process goes on alone …")
        else:
            report(f"No worker is running, so this process pre-labels project {run.id} with {run.version} …")
        if outcome is None:
            outcome = here.prelabel_here(jobs, run, progress=progress)
            _afterwards(jobs, run)
    return replace(outcome, seconds=time.perf_counter() - started).to_json()


def prelabel_job(project_id: int, version: str, only_missing: bool = False) -> dict[str, Any]:
    """The RQ job after a promotion: plan the shards; a single one is done at once."""

    def work(jobs: Jobs, run: Run) -> dict[str, Any]:
        shards = _plan(jobs, run)
        if len(shards) == 1:
            return _work(jobs, run, shards[0])
        for shard in shards:
            jobs.request_shard(run.key, run.id, run.version, shard, only_missing=only_missing)
        if not shards:
            return _end(jobs, run)
        return {"shards": len(shards)}

    return _live(project_id, version, only_missing, work)


def shard_job(project_id: int, version: str, first: int, last: int, only_missing: bool = False) -> dict[str, Any]:
    """The RQ job of one shard. Another version made live meanwhile has jobs of its own: this one then ends."""
    return _live(project_id, version, only_missing, lambda jobs, run: _work(jobs, run, (first, last)))


def tidy_job(project_id: int, version: str) -> dict[str, Any] | Retry:
    """The RQ job that deletes what a version has made out of date, a while at a time."""
    outcome = _live(project_id, version, False, _tidy)
    return MORE if outcome.get("left") else outcome


def _live(
    project_id: int, version: str, only_missing: bool, work: Callable[[Jobs, Run], dict[str, Any]]
) -> dict[str, Any]:
    """Do a job's work, unless that would change nothing: for a version that is not live, or a project that is gone."""
    from ml_backend.jobs import job_settings

    settings = job_settings()
    with Jobs(settings) as jobs:
        try:
            return work(jobs, open_run(settings, project_id, jobs, only_missing=only_missing, version=version))
        except Superseded as error:
            log.info("not pre-labeled", project=project_id, version=version, live=error.live)
            return {"superseded_by": error.live}
        except StudioNotFound as error:
            log.info("not pre-labeled", project=project_id, version=version, why=error.what)
            return {"error": error.what}


def _plan(jobs: Jobs, run: Run) -> list[Shard]:
    """The shards to do: those of a run that is under way, else new ones."""
    board = run.state.board(run.version, only_missing=run.only_missing)
    known = board.shards()
    if known and board.ended() is None and any(_lives(jobs, run, shard) for shard, done in known.items() if not done):
        return [shard for shard, done in known.items() if not done]
    shards = run.studio.ranges(run.id, here.PREDICTIONS_A_PUSH)
    board.plan(shards)
    return shards


def _lives(jobs: Jobs, run: Run, shard: Shard) -> bool:
    return not _failed(jobs, run, shard) and jobs.alive(_shard_job(run, shard))


def _failed(jobs: Jobs, run: Run, shard: Shard) -> bool:
    try:
        jobs.alive(_shard_job(run, shard))
    except TiebreakError:
        return True
    return False


def _work(jobs: Jobs, run: Run, shard: Shard) -> dict[str, Any]:
    board = run.state.board(run.version, only_missing=run.only_missing)
    began = time.monotonic()
    found = here.predict_shard(run, shard)
    jobs.state(run.key).took(time.monotonic() - began)
    log.info("pre-labeled", project=run.id, version=run.version, shard=shard, pushed=found.pushed)
    if not board.done(shard, asdict(found)):
        jobs.request_prelabeling(run.key, run.id, run.version, only_missing=run.only_missing)
    elif all(board.shards().values()):
        return _end(jobs, run)
    return asdict(found)


def _end(jobs: Jobs, run: Run) -> dict[str, Any]:
    """The last shard is done: verify the whole."""
    board = run.state.board(run.version, only_missing=run.only_missing)
    shards = board.shards()
    found = sum((ShardOutcome(**done) for done in shards.values() if done), ShardOutcome())
    try:
        outcome = here.finish(run, list(shards), found).to_json()
    except TiebreakError as error:
        board.end({"error": error.what, "mend": error.mend})
        raise
    board.end(outcome)
    _afterwards(jobs, run)
    return outcome


def _afterwards(jobs: Jobs, run: Run) -> None:
    """What may be deleted, and what is served next. Neither makes the predictions any less good where it fails."""
    from sdk_scripts.next_batch import choose_next, serve_next

    try:
        role = role_of(run.project)
        if role.learns and role.routed:
            jobs.cases_changed(ROUTING, run.key, run.id)
        if run.studio.project(run.id)["sampling"] == UNCERTAINTY:
            serve_next(run, choose_next(run))
        if jobs.workers():
            if out_of_date(run.studio.model_versions(run.id), run.version, run.state):
                jobs.request_tidying(run.key, run.id, run.version)
        else:
            tidy(run, seconds=TIDY_HERE_SECONDS)
    except TiebreakError as error:
        log.warning("pre-labeled, but the queue is as it was", project=run.id, why=str(error))


def _tidy(jobs: Jobs, run: Run) -> dict[str, Any]:
    deleted, all_of_it = tidy(run, seconds=TIDY_SECONDS)
    log.info("deleted what is out of date", project=run.id, predictions=deleted)
    return {"deleted": deleted, "left": not all_of_it}


def _by_workers(jobs: Jobs, run: Run, progress: Progress | None) -> PrelabelOutcome | None:
    """What workers made of it; None where none has run for WORKER_SECONDS."""
    board = run.state.board(run.version, only_missing=run.only_missing)
    undone = [shard for shard, done in board.shards().items() if not done]
    if board.ended() is not None or any(_failed(jobs, run, shard) for shard in undone):
        board.clear()
    to_do = run.studio.count_without(run.id, run.lacking) if progress else 0
    job = jobs.request_prelabeling(run.key, run.id, run.version, only_missing=run.only_missing)
    last_worker = last_sign = time.monotonic()
    while True:
        try:
            if (end := board.ended()) is not None:
                if "error" in end:
                    raise TiebreakError(end["error"], mend=end["mend"])
                return PrelabelOutcome.from_json(end)
            shards = board.shards()
            waiting = [_shard_job(run, shard) for shard, done in shards.items() if not done] or [job]
            now = time.monotonic()
            if jobs.workers():
                last_worker = now
            if all(jobs.alive(one) for one in waiting) or jobs.alive(job):
                last_sign = now
        except (redis.RedisError, QueueUnavailable):
            now = time.monotonic()
            if now - last_worker > WORKER_SECONDS:
                raise
            jobs.revive()
            time.sleep(POLL_SECONDS)
            continue
        run.check_live()
        if now - last_worker > WORKER_SECONDS:
            return None
        if now - last_sign > LOST_SECONDS:
            job = jobs.request_prelabeling(run.key, run.id, run.version, only_missing=run.only_missing)
            last_sign = now
        if progress:
            done = sum(it["predicted"] + it["unanswered"] for it in shards.values() if it)
            progress(min(done, to_do), to_do)
        time.sleep(POLL_SECONDS)


def _shard_job(run: Run, shard: Shard) -> str:
    return shard_job_id(run.key, run.version, shard, only_missing=run.only_missing)
