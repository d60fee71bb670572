"""Jobs that fail for good: real workers, a real Valkey. Pauses between tries are cut short, nothing else."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from rq.job import JobStatus
from rq.scheduler import RQScheduler
from typer.testing import CliRunner

from ml_backend import failed_jobs as kept
from ml_backend import failures
from ml_backend.failed_jobs import drop, failed_jobs, retry, trim
from ml_backend.labeling.errors import UnknownName
from ml_backend.prelabel_state import PrelabelState
from ml_backend.queues import RETRIES, TRAIN_QUEUE, WORK_QUEUE, Jobs
from ml_backend.settings import Settings
from sdk_scripts.cli import app
from sdk_scripts.prelabel import PrelabelOutcome
from sdk_scripts.prelabel_jobs import _by_workers
from tests.unit.serving.running import environment, eventually

StartWorker = Callable[[Settings], subprocess.Popen[bytes]]

KEY = "7.1795381865"
TRIES = len(RETRIES) + 2  # the first, one at once, and those after a pause


@pytest.fixture
def jobs(queue_settings: Settings) -> Iterator[Jobs]:
    with Jobs(queue_settings) as opened:
        yield opened


@pytest.fixture
def given(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    def give(function: str, version: str = "v1", first: int = 1, last: int = 1) -> str:
        monkeypatch.setattr("ml_backend.queues.SHARD_JOB", f"tests.scale.work.{function}")
        return jobs.request_shard(KEY, 7, version, (first, last))

    return give


def without_pauses(jobs: Jobs, ended: Callable[[], object], what: str) -> None:
    """Until it has ended, every try that is planned for later is made at once."""
    planned = jobs.queue(WORK_QUEUE).scheduled_job_registry.key

    def soon() -> object:
        for id in jobs.redis.zrange(planned, 0, -1):
            jobs.redis.zadd(planned, {id: 0}, xx=True)
        return ended()

    eventually(soon, what=what)


def test_a_job_that_kills_its_process_is_given_up_and_blocks_no_other(
    queue_settings: Settings, jobs: Jobs, given: Callable[..., str], start_worker: StartWorker
) -> None:
    (Path(queue_settings.models) / "mended").touch()
    bad = given("poison")
    good = [given("told", "mended", first, first) for first in (2, 3)]
    start_worker(queue_settings)
    eventually(lambda: all(jobs.fetch(id) is None for id in good), what="the jobs behind it")
    without_pauses(jobs, lambda: failed_jobs(jobs), "the end of its tries")
    [found] = failed_jobs(jobs)
    assert (found.id, found.project, found.tries) == (bad, "7", TRIES)
    assert "killed" in found.why
    assert jobs.fetch(bad).get_status() == JobStatus.FAILED
    assert not jobs.queue(WORK_QUEUE).job_ids


def test_a_worker_that_waits_shares_its_connection_with_no_process_that_may_outlive_it(
    queue_settings: Settings, jobs: Jobs, start_worker: StartWorker
) -> None:
    """To which Redis would hand the next job, after the worker was killed."""
    worker = psutil.Process(start_worker(queue_settings).pid)

    def waits() -> list[int]:
        return [int(it["addr"].rpartition(":")[2]) for it in jobs.redis.client_list() if "b" in it["flags"]]

    eventually(lambda: waits() and worker.children(), what="a worker that waits, and its scheduler")
    [port] = waits()
    processes = [worker, *worker.children(recursive=True)]
    holders = [it for it in processes if port in {socket.laddr.port for socket in it.net_connections()}]
    assert holders == [worker]


def test_a_reason_shows_neither_texts_nor_secrets_and_is_there_before_the_last_try(
    queue_settings: Settings, jobs: Jobs, given: Callable[..., str], start_worker: StartWorker
) -> None:
    careless, told = given("careless"), given("told", "mended", 5)
    start_worker(queue_settings)

    def why(id: str) -> str:
        job = jobs.fetch(id)
        return str(job.meta.get("why", "")) if job else ""

    eventually(lambda: why(careless) and why(told), what="the first tries")
    assert jobs.fetch(told).get_status() != JobStatus.FAILED
    assert re.fullmatch(r"ValueError in work\.py:\d+\.", why(careless))
    assert why(told) == "No answer from http://…@studio:8080."


def test_what_was_mended_is_tried_again_by_command_once(
    queue_settings: Settings,
    jobs: Jobs,
    given: Callable[..., str],
    start_worker: StartWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment(queue_settings).items():
        monkeypatch.setenv(name, value)
    folder = Path(queue_settings.models)
    ids = [given("told", "mended", first, first) for first in (1, 2)]
    start_worker(queue_settings)
    without_pauses(jobs, lambda: len(failed_jobs(jobs)) == 2, "the end of their tries")

    listed = CliRunner().invoke(app, ["jobs", "list", "--project", "7", "--json"])
    assert listed.exit_code == 1
    rows = json.loads(listed.stdout)["jobs"]
    assert {row["id"] for row in rows} == set(ids)
    assert {(row["what"], row["tries"]) for row in rows} == {("told", TRIES)}
    assert json.loads(CliRunner().invoke(app, ["jobs", "list", "--project", "8", "--json"]).stdout) == {"jobs": []}

    (folder / "mended").touch()
    again = CliRunner().invoke(app, ["jobs", "retry", "--all", "--json"])
    assert set(json.loads(again.stdout)["retried"]) == set(ids)
    eventually(lambda: all(jobs.fetch(id) is None for id in ids), what="their success")
    assert sorted(path.name for path in folder.glob("*.done")) == ["mended.1.done", "mended.2.done"]
    assert CliRunner().invoke(app, ["jobs", "list"]).exit_code == 0


def test_many_who_retry_one_job_at_once_queue_it_once_with_all_its_tries(jobs: Jobs, given: Callable[..., str]) -> None:
    id = given("careless")
    fail(jobs, id)
    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(lambda _: retry(jobs, id), range(8))) == [False] * 7 + [True]
    assert jobs.queue(WORK_QUEUE).job_ids == [id]
    assert jobs.fetch(id).retries_left == TRIES - 1
    assert given("careless") == id  # planning it anew changes nothing
    assert jobs.queue(WORK_QUEUE).job_ids == [id]
    assert not drop(jobs, id)


def test_a_dropped_job_is_gone_and_an_unknown_one_is_named(jobs: Jobs, given: Callable[..., str]) -> None:
    id = given("careless")
    fail(jobs, id)
    assert drop(jobs, id)
    assert failed_jobs(jobs) == []
    assert jobs.fetch(id) is None
    with pytest.raises(UnknownName, match="tiebreak jobs list"):
        retry(jobs, id)


def test_failed_jobs_are_kept_for_a_week_and_bounded_in_number(
    jobs: Jobs, given: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST_FAILED", 3)
    ids = [given("careless", first=first, last=first) for first in range(5)]
    for number, id in enumerate(ids):
        fail(jobs, id)
        failed = jobs.queue(WORK_QUEUE).failed_job_registry
        assert 6.9 * 86400 < jobs.redis.zscore(failed.key, id) - jobs.redis.time()[0] <= 7 * 86400
        jobs.redis.zincrby(failed.key, number, id)  # one after the other
    trim(jobs)
    assert {it.id for it in failed_jobs(jobs)} == set(ids[2:])
    assert [jobs.fetch(id) is None for id in ids] == [True, True, False, False, False]


def test_what_is_taken_over_from_a_vanished_worker_is_done_once_it_is_done(
    queue_settings: Settings, jobs: Jobs, given: Callable[..., str], start_worker: StartWorker
) -> None:
    Path(queue_settings.models).mkdir(exist_ok=True)
    quick = queue_settings.model_copy(update={"reconcile_seconds": 2.0})  # and with it RQ's looking for such jobs
    id = given("shard", first=1, last=20)
    queue = jobs.queue(WORK_QUEUE)
    doomed = start_worker(quick)
    eventually(lambda: (job := jobs.fetch(id)) and job.is_started, what="its start")
    doomed.kill()
    doomed.wait(30)
    for entry in jobs.redis.zrange(queue.started_job_registry.key, 0, -1):
        jobs.redis.zadd(queue.started_job_registry.key, {entry: 1})  # as if its last heartbeat were long ago
        jobs.redis.delete(f"rq:execution:{entry.decode()}")
    for key in jobs.redis.scan_iter("tiebreak:shard:*"):
        jobs.redis.delete(key)
    for name in (TRAIN_QUEUE, WORK_QUEUE):
        jobs.redis.delete(RQScheduler.get_locking_key(name))
    start_worker(quick)
    without_pauses(jobs, lambda: (job := jobs.fetch(id)) is None or failures.tries(job) > 1, "its end")
    assert jobs.fetch(id) is None


def test_a_shard_that_failed_for_good_does_not_end_the_next_prelabeling_at_once(
    jobs: Jobs, given: Callable[..., str]
) -> None:
    board = PrelabelState(jobs.redis, KEY).board("v1")
    board.plan([(1, 20)])
    fail(jobs, given("careless", first=1, last=20))
    state = SimpleNamespace(board=lambda *_, **__: board)
    run = SimpleNamespace(key=KEY, id=7, version="v1", only_missing=False, state=state, check_live=lambda: None)
    outcome = PrelabelOutcome(20, 20, 20, 0, 1.0, "v1", shown=True)
    with ThreadPoolExecutor(1) as pool:
        command = pool.submit(_by_workers, jobs, run, None)  # type: ignore[arg-type]  # it asks no more of a run
        eventually(lambda: jobs.queue(WORK_QUEUE).job_ids or command.done(), what="the new plan")
        board.end(outcome.to_json())
        assert command.result(30) == outcome


def fail(jobs: Jobs, id: str) -> None:
    """As a worker leaves a job whose tries are used up."""
    from rq.job_lifecycle import record_job_failure

    job = jobs.fetch(id)
    jobs.queue(WORK_QUEUE).remove(job)
    job.retries_left = 0
    with jobs.redis.pipeline() as pipe:
        record_job_failure(job, "ValueError: a text", pipe)
        job.save(pipeline=pipe)
        pipe.execute()
