"""Alerts reach a real receiver once, whatever it answers, and whoever dies."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
from pydantic import SecretStr

from ml_backend.labeling.errors import ConfigError
from ml_backend.project_state import ALERTS
from ml_backend.queues import ALERT_JOB, WORK_QUEUE, Jobs
from ml_backend.settings import Settings, load_settings
from ml_backend.valkey import Valkey
from sdk_scripts.monitoring import alert_delivery
from sdk_scripts.monitoring.alert_delivery import deliver
from sdk_scripts.monitoring.findings_store import FindingsStore
from tests.unit.monitoring.inspections import KEY, START, after, finding, inspection
from tests.unit.monitoring.receiver import Receiver, receiving

NOW = START.timestamp()
FOUND = inspection(finding("ana"))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as it:
        yield it


@pytest.fixture
def alerting(settings: Settings, valkey: Valkey, receiver: Receiver) -> Settings:
    return settings.model_copy(update={"redis_url": SecretStr(valkey.url), "alert_url": SecretStr(receiver.url)})


@pytest.fixture
def jobs(alerting: Settings) -> Iterator[Jobs]:
    with Jobs(alerting) as jobs:
        yield jobs


@pytest.fixture
def store(alerting: Settings) -> FindingsStore:
    store = FindingsStore(alerting, KEY)
    store.keep(after(FOUND))
    return store


def due_at(jobs: Jobs) -> float | None:
    return jobs.redis.zscore(ALERTS, KEY)  # type: ignore[return-value]


def test_a_finding_arrives_once(alerting: Settings, jobs: Jobs, store: FindingsStore, receiver: Receiver) -> None:
    assert deliver(alerting, jobs, store, now=NOW).outcome == "sent"
    assert deliver(alerting, jobs, store, now=NOW + 60).outcome == "nothing"
    [message] = receiver.came
    assert [it["subject"] for it in message["found"]] == ["ana"]
    assert due_at(jobs) is None


def test_many_workers_at_once_send_one_message(
    alerting: Settings, jobs: Jobs, store: FindingsStore, receiver: Receiver
) -> None:
    receiver.drip = 0.05
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: deliver(alerting, jobs, store, now=NOW).outcome, range(8)))
    assert outcomes.count("sent") == 1
    assert len(receiver.came) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 429, 500, 503])
def test_a_receiver_that_does_not_take_it_is_tried_again_later(
    alerting: Settings, jobs: Jobs, store: FindingsStore, receiver: Receiver, status: int
) -> None:
    with receiving() as elsewhere:
        receiver.status, receiver.headers = status, {"location": elsewhere.url}
        failed = deliver(alerting, jobs, store, now=NOW)
        assert (failed.outcome, due_at(jobs)) == ("failed", NOW + 60)
        assert deliver(alerting, jobs, store, now=NOW + 30).outcome == "later"
        assert len(receiver.came) == 1
        receiver.status = 202
        assert deliver(alerting, jobs, store, now=NOW + 60).outcome == "sent"
        assert elsewhere.came == []
    assert receiver.came[0]["id"] == receiver.came[1]["id"]


def test_a_receiver_says_how_long_to_wait(
    alerting: Settings, jobs: Jobs, store: FindingsStore, receiver: Receiver
) -> None:
    receiver.status, receiver.headers = 429, {"retry-after": "1000"}
    deliver(alerting, jobs, store, now=NOW)
    assert due_at(jobs) == NOW + 1000


def test_a_receiver_that_drips_its_answer_is_left(
    alerting: Settings, jobs: Jobs, store: FindingsStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_delivery, "SECONDS", 0.5)
    receiver.answer, receiver.drip = b"x" * 1000, 0.1
    assert "within 0.5 s" in deliver(alerting, jobs, store, now=NOW).why


def test_an_endless_answer_is_not_read_to_its_end(
    alerting: Settings, jobs: Jobs, store: FindingsStore, receiver: Receiver
) -> None:
    receiver.answer = b"x" * 50_000_000
    assert deliver(alerting, jobs, store, now=NOW).outcome == "sent"


def test_nobody_there_is_a_failure_that_names_no_secret(alerting: Settings, jobs: Jobs, store: FindingsStore) -> None:
    for url in ("http://127.0.0.1:9/hook/a-secret-path", "http://a-secret-path.invalid/x", "http://[a-secret-path"):
        away = alerting.model_copy(update={"alert_url": SecretStr(url), "alert_secret": SecretStr("a-secret-path")})
        store.keep_told({})
        with structlog.testing.capture_logs() as logs:
            failed = deliver(away, jobs, store, now=NOW)
        assert failed.outcome == "failed"
        assert logs
        assert "a-secret" not in f"{logs} {failed}"


def test_the_address_is_in_no_log_at_any_level(
    alerting: Settings, jobs: Jobs, store: FindingsStore, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert deliver(alerting, jobs, store, now=NOW).outcome == "sent"
    assert receiver.paths == ["/hook/T0/a-secret-path"]
    assert caplog.records
    assert "a-secret" not in caplog.text


def test_a_wrong_address_is_refused_without_being_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_ALERT_URL", "file:///etc/a-secret")
    with pytest.raises(ConfigError) as error:
        load_settings()
    assert "TIEBREAK_ALERT_URL" in str(error.value)
    assert "a-secret" not in str(error.value)


def test_a_sender_killed_after_sending_leaves_a_message_with_the_same_id(
    alerting: Settings, jobs: Jobs, store: FindingsStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(FindingsStore, "keep_told", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            deliver(alerting, jobs, store, now=NOW)
    assert due_at(jobs) is not None
    assert deliver(alerting, jobs, store, now=NOW + 60).outcome == "sent"
    first, again = receiver.came
    assert first["id"] == again["id"]


def test_without_an_address_nothing_is_sent_or_planned(alerting: Settings, jobs: Jobs, store: FindingsStore) -> None:
    off = alerting.model_copy(update={"alert_url": None})
    jobs.alerts_due(KEY, 1.0)
    assert deliver(off, jobs, store, now=NOW).outcome == "off"
    assert due_at(jobs) is None


def test_lark_may_refuse_with_status_200(
    alerting: Settings, jobs: Jobs, store: FindingsStore, receiver: Receiver
) -> None:
    lark = alerting.model_copy(update={"alert_format": "lark", "alert_secret": SecretStr("s")})
    receiver.answer = b'{"code":19021,"msg":"sign match fail"}'
    assert deliver(lark, jobs, store, now=NOW).outcome == "failed"
    receiver.answer = b'{"code":0,"msg":"success"}'
    assert deliver(lark, jobs, store, now=NOW + 60).outcome == "sent"
    assert receiver.came[0]["sign"] != ""


def test_only_alerts_that_are_due_are_asked_for_and_once(jobs: Jobs) -> None:
    jobs.alerts_due(KEY, time.time() - 1)
    jobs.alerts_due("8.1795381865", time.time() + 3600)
    jobs.request_alerts()
    jobs.request_alerts()
    assert [(it.func_name, it.args) for it in jobs.queue(WORK_QUEUE).jobs] == [(ALERT_JOB, [KEY])]
