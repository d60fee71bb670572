"""Each thing is broken, and the doctor says so with a mend; what depends on it is not looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from pydantic import SecretStr

from ml_backend.queues import TRAIN_QUEUE, WORK_QUEUE, Jobs
from ml_backend.settings import Settings, load_settings
from sdk_scripts.doctor import Checked, diagnose
from sdk_scripts.doctor.checks import CHECKS, home, version, workers
from tests.large_model_server import LargeModelServer
from tests.unit.serving.running import Serve, WorkerProcess, eventually, work_off

BY_NAME = dict(CHECKS.items())


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Label Studio is there: it is not waited for."""
    monkeypatch.setattr("ml_backend.studio.connection.ATTEMPTS", 1)


def seen(settings: Settings, project: str | None = None) -> dict[str, Checked]:
    return {found.name: found for found in diagnose(settings, project)}


def changed(settings: Settings, **fields: object) -> Settings:
    return load_settings(**{**settings.model_dump(exclude_none=True), **fields})


def test_every_check_has_a_place_of_its_own_and_needs_only_earlier_ones() -> None:
    places = {name: check.place for name, check in BY_NAME.items()}
    assert len(set(places.values())) == len(places)
    for check in BY_NAME.values():
        assert all(places[needed] < check.place for needed in check.needs)


def test_without_label_studio_what_needs_it_is_not_looked_at(queue_settings: Settings) -> None:
    closed = changed(queue_settings, studio_url="http://127.0.0.1:9", studio_token=SecretStr("a-token"))
    found = seen(closed, "7")
    assert found["label studio"].ok is False
    assert "TIEBREAK_STUDIO_URL" in found["label studio"].mend
    for name in ("token", "version", "project", "connection", "webhook", "model version"):
        assert found[name].ok is None
        assert "before this is mended" in found[name].detail


def test_without_a_token_it_says_where_to_get_one(queue_settings: Settings) -> None:
    found = seen(queue_settings)
    assert found["token"].ok is False
    assert "TIEBREAK_STUDIO_TOKEN" in found["token"].mend


@pytest.mark.parametrize(
    ("number", "ok"), [("1.23.0", True), ("1.24.1", True), ("2.0.0", True), ("1.21.0", True), ("1.9.2", False)]
)
def test_an_older_label_studio_is_told(number: str, ok: bool) -> None:
    class Patient:
        class studio:  # noqa: N801  # as the patient has it
            @staticmethod
            def version() -> str:
                return number

    looked = version.Version().look(Patient())  # type: ignore[arg-type]  # of it the check asks no more
    assert looked.ok is ok
    assert bool(looked.mend) is not ok


def test_the_version_it_is_tested_with_is_the_one_pinned() -> None:
    lock = (Path(__file__).parents[3] / "requirements-studio.lock").read_text()
    assert f"\nlabel-studio=={version.TESTED[0]} " in f"\n{lock}"


def test_a_home_that_cannot_be_written_and_one_without_room(
    queue_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    found = seen(changed(queue_settings, home=tmp_path / "file"))
    assert found["home"].ok is False
    assert "TIEBREAK_HOME" in found["home"].mend
    assert found["models"].ok is None
    monkeypatch.setattr(home, "LEAST", 10**18)
    assert seen(queue_settings)["home"].ok is False


def test_models_that_cannot_be_reached(queue_settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    found = seen(changed(queue_settings, models_url=str(tmp_path / "file" / "models")))
    assert found["models"].ok is False
    assert "TIEBREAK_MODELS_URL" in found["models"].mend


def test_looking_leaves_nothing_beside_the_models(queue_settings: Settings) -> None:
    assert seen(queue_settings)["models"].ok
    assert not list(Path(queue_settings.models).glob("doctor/*"))


def test_a_redis_that_does_not_answer(queue_settings: Settings) -> None:
    found = seen(changed(queue_settings, redis_url=SecretStr("redis://127.0.0.1:9/0")))
    assert found["redis"].ok is False
    assert "TIEBREAK_REDIS_URL" in found["redis"].mend
    assert found["workers"].ok is found["failed jobs"].ok is None


@pytest.mark.parametrize(
    ("settings_of_redis", "mend"),
    [
        ({"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"}, "noeviction"),
        ({"appendonly": "no"}, "appendonly yes"),
    ],
)
def test_a_redis_that_forgets(queue_settings: Settings, settings_of_redis: dict[str, str], mend: str) -> None:
    with Jobs(queue_settings) as jobs:
        before = {name: jobs.redis.config_get(name)[name] for name in settings_of_redis}
        try:
            for name, value in settings_of_redis.items():
                jobs.redis.config_set(name, value)
            found = seen(queue_settings)["redis"]
        finally:
            for name, value in before.items():
                jobs.redis.config_set(name, value)
    assert found.ok is False
    assert mend in found.mend
    assert seen(queue_settings)["redis"].ok


def test_a_worker_says_whether_it_is_set_up_alike(
    queue_settings: Settings, start_worker: Callable[[Settings], WorkerProcess], tmp_path: Path
) -> None:
    assert seen(queue_settings)["workers"].ok is False
    signed_in = changed(queue_settings, studio_url="http://127.0.0.1:9", studio_token=SecretStr("a-token"))
    start_worker(signed_in)
    with Jobs(queue_settings) as jobs:
        eventually(jobs.workers, what="the worker")
        found = seen(signed_in)
        assert found["workers"].ok
        assert found["worker's work"].ok is False
        assert "127.0.0.1:9" in found["worker's work"].detail  # it does not reach Label Studio either
        assert not jobs.queue(WORK_QUEUE).job_ids


def test_what_a_worker_says_is_compared(queue_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from sdk_scripts.doctor.jobs import setup_of
    from sdk_scripts.doctor.patient import Patient

    def answered(**differs: object) -> workers.Looked:
        theirs = changed(queue_settings, **differs)

        def ask(_: object, patient: Patient, marker: str) -> dict[str, object]:
            there = (Path(theirs.models) / marker).exists()
            said = {"host": "there", "models": theirs.models, "studio": "", "mend": "", "marker": there}
            return said | {"setup": setup_of(theirs, marker)}

        monkeypatch.setattr(workers.Work, "_ask", ask)
        with Patient(queue_settings) as patient:
            return workers.Work().look(patient)

    assert answered().ok
    assert "policy secret" in answered(policy_secret=SecretStr("another secret of length")).detail
    assert "encoder" in answered(encoder_runtime="torch").detail
    assert "TIEBREAK_MODELS_URL" in answered(models_url=str(queue_settings.home / "elsewhere")).mend


def test_a_job_that_failed_for_good_is_named_with_its_reason(queue_settings: Settings) -> None:
    with Jobs(queue_settings) as jobs:
        queue = jobs.queue(TRAIN_QUEUE)
        queue.enqueue("json.loads", args=("no json",), job_id="broken")
        work_off(queue)
    found = seen(queue_settings)["failed jobs"]
    assert found.ok is False
    assert "broken: json.decoder.JSONDecodeError" in found.detail


def test_an_encoder_that_is_not_there(queue_settings: Settings, tmp_path: Path) -> None:
    found = seen(changed(queue_settings, encoder=str(tmp_path / "none")))["encoder"]
    assert found.ok is False
    assert found.mend


def test_the_backend_wants_to_be_there_ours_and_signed_in_to(queue_settings: Settings, serve: Serve) -> None:
    assert seen(queue_settings)["backend"].detail == "TIEBREAK_BACKEND_URL is not set."
    away = seen(changed(queue_settings, backend_url="http://127.0.0.1:9"))["backend"]
    assert away.ok is False
    assert "tiebreak serve" in away.mend
    guarded = changed(queue_settings, backend_user="me", backend_password=SecretStr("a password"))
    with serve(guarded) as client:
        url = str(client.base_url).rstrip("/")
        eventually(lambda: client.get("/health").json()["ready"], what="the encoder")
        assert seen(changed(guarded, backend_url=url))["backend"].ok
        other = seen(changed(guarded, backend_url=url, backend_password=SecretStr("another")))["backend"]
        assert other.ok is False
        assert "TIEBREAK_BACKEND_PASSWORD" in other.mend


def test_another_service_is_not_taken_for_the_backend(queue_settings: Settings) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"status": "UP"}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        found = seen(changed(queue_settings, backend_url=f"http://127.0.0.1:{server.server_port}"))["backend"]
    finally:
        server.shutdown()
        server.server_close()
    assert found.ok is False
    assert "not Tiebreak's backend" in found.detail


def test_the_large_model_wants_its_key_its_name_and_to_be_there(queue_settings: Settings) -> None:
    assert seen(queue_settings)["large model"].ok is None
    with LargeModelServer(lambda _: {}) as server:
        there = changed(queue_settings, llm_url=server.url, llm_model="test", llm_key=SecretStr(server.key))
        assert seen(there)["large model"].ok
        assert "key" in seen(changed(there, llm_key=SecretStr("another")))["large model"].detail
        assert "'other'" in seen(changed(there, llm_model="other"))["large model"].detail
    assert seen(there)["large model"].ok is False
