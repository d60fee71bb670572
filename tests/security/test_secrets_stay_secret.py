"""Secrets are in no output, file, metric, page or job, also where everything fails and servers repeat what they got."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import redis
from pydantic import SecretStr

from ml_backend.labeling.errors import ConfigError
from ml_backend.queues import WORK_QUEUE, Jobs
from ml_backend.settings import Settings, secrets_of
from ml_backend.valkey import Valkey
from tests.unit.serving.running import SENTIMENT, environment, eventually, free_port

KEY = "7.1795381865"
COMMANDS = (
    ["doctor", "7", "--json"], ["train", "7"], ["agreement", "7"], ["route", "7"], ["audit"], ["sync", "."],
    ["models", "list", "7"],
)  # fmt: skip


@contextmanager
def repeating_server() -> Iterator[int]:
    """Refuses whatever it is asked, and says all it was sent, in a body and in a reason."""

    class Handler(BaseHTTPRequestHandler):
        def _refuse(self) -> None:
            sent = f"{self.path} {dict(self.headers)} {self.rfile.read(int(self.headers.get('content-length') or 0))!r}"
            body = json.dumps({"detail": sent, "error": {"message": sent}}).encode()
            self.send_response(500 if self.command == "GET" else 400)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = _refuse  # noqa: N815  # the names that http.server looks for

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def started(command: list[str], settings: Settings, folder: Path, out: Path) -> subprocess.Popen[bytes]:
    with out.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-c", *command],
            env=environment(settings),
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )


def held_by(connection: redis.Redis) -> Iterator[bytes]:
    for key in connection.scan_iter():
        read: dict[bytes, Callable[[bytes], Any]] = {
            b"string": lambda at: [connection.get(at)],
            b"list": lambda at: connection.lrange(at, 0, -1),
            b"hash": lambda at: [it for pair in connection.hgetall(at).items() for it in pair],
            b"set": connection.smembers,
            b"zset": lambda at: connection.zrange(at, 0, -1),
            b"stream": lambda at: [it for _, entry in connection.xrange(at) for pair in entry.items() for it in pair],
        }
        for value in (key, *read[connection.type(key)](key)):
            yield value
            with suppress(zlib.error):
                yield zlib.decompress(value)


def test_no_secret_is_told_by_what_runs_fails_or_is_kept(settings: Settings, valkey: Valkey, tmp_path: Path) -> None:
    run = "import sys; from sdk_scripts.cli import main; sys.argv = ['tiebreak', *sys.argv[1:]]; main()"
    several = f"""
import sys
from sdk_scripts.cli import main
for command in {COMMANDS!r}:
    sys.argv = ["tiebreak", *command]
    try:
        main()
    except SystemExit as end:
        print("exit", end.code)
"""
    (tmp_path / "project.yaml").write_text("name: a\ntitle: A\nlabel_config: a.xml\nbackend: {}\n")
    (tmp_path / "a.xml").write_text(SENTIMENT)
    with repeating_server() as server, Jobs(settings.model_copy(update={"redis_url": SecretStr(valkey.url)})) as jobs:
        fields = {
            "log_level": "DEBUG",
            "redis_url": SecretStr(valkey.url),
            "studio_url": f"http://me:marked-studio%2Fpassword@127.0.0.1:{server}",
            "studio_token": SecretStr("marked-studio-token"),
            "llm_url": f"http://127.0.0.1:{server}/v1",
            "llm_model": "a-model",
            "llm_key": SecretStr("marked-llm-key"),
            "alert_url": SecretStr(f"http://127.0.0.1:{server}/services/marked-alert-path"),
            "alert_secret": SecretStr("marked-alert-secret"),
            "backend_user": "studio",
            "backend_password": SecretStr("marked-backend-password"),
            "webhook_secret": SecretStr("marked-webhook-secret"),
            "policy_secret": SecretStr("marked-policy-secret"),
        }
        port = free_port()
        backend = f"http://127.0.0.1:{port}"
        given = settings.model_copy(update={**fields, "backend_url": backend})
        marks = secrets_of(given)
        assert len(marks) > 10
        for job, more in (("ml_backend.jobs.train_job", (0,)), ("sdk_scripts.route_jobs.route_job", (0,))):
            jobs.queue(WORK_QUEUE).enqueue(job, args=(KEY, 7, *more), job_id=job.rpartition(".")[2])
        jobs.queue(WORK_QUEUE).enqueue("sdk_scripts.monitoring.jobs.alert_job", args=(KEY,), job_id="alert_job")
        outs = [tmp_path / f"{name}.log" for name in ("serve", "worker", "commands")]
        serve = started([run, "serve", "--port", str(port)], given, tmp_path, outs[0])
        others = [
            started([run, "worker", "--burst"], given, tmp_path, outs[1]), started([several], given, tmp_path, outs[2])
        ]  # fmt: skip
        try:
            with httpx.Client(base_url=backend, auth=("studio", "marked-backend-password"), timeout=60) as client:

                def up() -> bool:
                    with suppress(httpx.HTTPError):
                        return client.get("/health").status_code == 200
                    return False

                eventually(up, what="the backend")
                body = {"project": KEY, "label_config": SENTIMENT, "tasks": [{"data": {"text": "fine"}}]}
                told = [client.post("/predict", json=body), client.post("/predict", json={**body, "tasks": 1})]
                told.append(client.post("/setup", json={"project": KEY, "access_token": "marked-studio-token"}))
                told.append(client.post("/webhook", json={"action": "?"}, headers={"x-tiebreak-secret": "wrong"}))
                told.append(httpx.get(f"{backend}/metrics", auth=("studio", "wrong")))
                for process in others:
                    process.wait(120)
                told += [client.get("/metrics"), client.get("/console/state.json")]
        finally:
            for process in (serve, *others):
                process.terminate()
                process.wait(30)
        said = {str(answer.request.url): answer.content for answer in told}
        said |= {str(file): file.read_bytes() for file in (*outs, *settings.home.rglob("*")) if file.is_file()}
        said |= {f"redis {number}": value for number, value in enumerate(held_by(jobs.redis))}
        failed = {it for it in ("train_job", "route_job") if jobs.redis.exists(f"rq:job:{it}")}
    assert failed == {"train_job", "route_job"}
    assert outs[2].read_text().count("exit 2") >= 4
    assert b"Traceback" in b"".join(said.values())
    forms = {form.encode() for mark in marks for form in (mark, quote(mark, safe=""), json.dumps(mark)[1:-1])}
    assert {
        where: [mark for mark in forms if mark in content]
        for where, content in said.items()
        if any(mark in content for mark in forms)
    } == {}


@pytest.mark.parametrize(
    "url",
    ["redis://user:marked-password", "redis://:marked/password@host:6379/0", "redis://:marked#password@h:x/0", "no"],
)
def test_a_redis_url_that_is_none_is_not_repeated(settings: Settings, url: str) -> None:
    with pytest.raises(ConfigError) as told, Jobs(settings.model_copy(update={"redis_url": SecretStr(url)})) as jobs:
        jobs.workers()
    assert "marked" not in str(told.value)
    assert "TIEBREAK_REDIS_URL" in str(told.value)
