"""How often a project is trained where labels keep coming, on a real Valkey."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from rq import Retry

from ml_backend.encoder import Encoder
from ml_backend.jobs import JOB_SETTINGS, train_job
from ml_backend.labeling.errors import StudioUnauthorized
from ml_backend.model_registry import ModelRegistry
from ml_backend.prelabel_state import PrelabelState
from ml_backend.queues import WORK_QUEUE, Jobs
from ml_backend.settings import Settings
from ml_backend.training import train
from tests.unit.learning.reviews import SENTIMENT, labelled

KEY = "7.1795381865"


@pytest.fixture
def jobs(queue_settings: Settings) -> Iterator[Jobs]:
    """Without a token for Label Studio: a training that begins ends with StudioUnauthorized."""
    token = JOB_SETTINGS.set(queue_settings)
    with Jobs(queue_settings) as jobs:
        yield jobs
    JOB_SETTINGS.reset(token)


def test_a_training_waits_until_the_live_versions_predictions_are_pushed(jobs: Jobs, encoder: Encoder) -> None:
    registry = ModelRegistry(jobs.settings.models)
    version = train(KEY, SENTIMENT, labelled(40), encoder, registry).version
    jobs.labels_changed(KEY, 7, 20)
    jobs.request_prelabeling(KEY, 7, version)
    assert isinstance(train_job(KEY, 7, 0), Retry)
    assert jobs.state(KEY).pending().labels == 20
    board = PrelabelState(jobs.redis, KEY).board(version)
    board.plan([(1, 10)])
    jobs.request_shard(KEY, 7, version, (1, 10))
    jobs.queue(WORK_QUEUE).jobs[0].delete()  # it has planned the shard, and ended
    assert isinstance(train_job(KEY, 7, 0), Retry)
    board.done((1, 10), {"pushed": 10})
    with pytest.raises(StudioUnauthorized):
        train_job(KEY, 7, 0)


def test_no_machine_rests_by_the_clock_of_another(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    state, real = jobs.state(KEY), time.time
    monkeypatch.setattr(time, "time", lambda: real() + 5 * 3600)
    state.took(100.0)
    monkeypatch.undo()
    jobs.labels_changed(KEY, 7, 20)
    waiting = train_job(KEY, 7, 0)
    assert isinstance(waiting, Retry)
    assert 90 <= waiting.intervals[0] <= 100


def test_the_next_training_waits_as_long_as_the_last_and_its_pushes_took_unless_somebody_asks(jobs: Jobs) -> None:
    state = jobs.state(KEY)
    state.took(100.0)
    state.took(200.0)
    assert 299 < state.resting() <= 300
    jobs.labels_changed(KEY, 7, 20)
    waiting = train_job(KEY, 7, 0)
    assert isinstance(waiting, Retry)
    assert 290 <= waiting.intervals[0] <= 301
    jobs.request_training(KEY, 7)
    with pytest.raises(StudioUnauthorized):
        train_job(KEY, 7, 0)
