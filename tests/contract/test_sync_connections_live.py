"""Backends and webhooks as code, against a real Label Studio."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from pydantic import SecretStr

from ml_backend.labeling.errors import ConfigError, StudioError, StudioRefused
from ml_backend.labeling.results import project_key
from ml_backend.webhook_secrets import WebhookSecrets
from tests.contract.synced import Project


def own_secret(project: Project) -> str:
    return WebhookSecrets("s3cr3t").of(project_key(project.studio.project(project.id)))


@pytest.fixture
def project(synced: Project) -> Project:
    return synced


@contextmanager
def ml_backend(user: str = "", password: str = "") -> Iterator[str]:
    """A backend that is well and asks for Basic auth."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            allowed = not user or self.headers.get("authorization") == f"Basic {token}"
            body = json.dumps({"status": "UP", "model_version": "one"}).encode()
            self.send_response(200 if allowed else 401)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815  # the names that http.server looks for

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_backend_is_connected_with_its_credentials_and_one_webhook(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.manifest(
        "title: Some reviews\n"
        "backend: {title: Ours, user: '${TIEBREAK_A_USER}', password: '${TIEBREAK_A_PASSWORD}'}\n"
        "webhook: {secret: '${TIEBREAK_A_SECRET}'}\n"
    )
    with ml_backend("me", "hunter2") as url:
        project.settings = project.settings.model_copy(update={"backend_url": url})
        with pytest.raises(ConfigError, match="TIEBREAK_A_SECRET, which is not set"):
            project.sync()
        for name, value in {"USER": "me", "PASSWORD": "hunter2", "SECRET": "s3cr3t"}.items():
            monkeypatch.setenv(f"TIEBREAK_A_{name}", value)
        outcome = project.apply()
        assert "hunter2" not in repr(outcome)
        (backend,) = project.studio.backends(project.id)
        assert (backend["state"], backend["auth_method"], backend["basic_auth_user"]) == ("CO", "BASIC_AUTH", "me")
        (hook,) = project.studio.webhooks(project.id)
        assert hook["url"] == f"{url}/webhook"
        assert hook["headers"]["X-Tiebreak-Secret"] == own_secret(project)
        assert hook["send_for_all_actions"]

        monkeypatch.setenv("TIEBREAK_A_SECRET", "other")
        (change,) = project.sync().changes
        assert (change.kind, list(change.fields)) == ("webhook", ["X-Tiebreak-Secret"])
        project.apply()

        monkeypatch.setenv("TIEBREAK_A_PASSWORD", "wrong")
        with pytest.raises(StudioRefused, match="0 of 1 changes are made"):
            project.sync(apply=True)

        project.manifest()
        project.apply(prune=True)
        assert not project.studio.backends(project.id)
        assert not project.studio.webhooks(project.id)


def test_the_webhook_of_a_backend_that_people_connected_is_adopted(project: Project) -> None:
    project.apply()
    with ml_backend() as url:
        project.studio.add_backend(project.id, {"url": url, "title": "By hand"})
        (before,) = project.studio.webhooks(project.id)
        project.studio.update_webhook(
            before["id"], {"send_for_all_actions": False, "actions": ["ANNOTATION_UPDATED", "ANNOTATION_CREATED"]}
        )
        project.settings = project.settings.model_copy(
            update={"backend_url": url, "webhook_secret": SecretStr("s3cr3t")}
        )
        project.manifest("title: Some reviews\nbackend: {title: Ours}\n")
        project.apply()
        (hook,) = project.studio.webhooks(project.id)
        assert hook["id"] == before["id"]
        assert sorted(hook["actions"]) == ["ANNOTATION_CREATED", "ANNOTATION_UPDATED"]
        assert hook["headers"]["X-Tiebreak-Secret"] == own_secret(project)
        (backend,) = project.studio.backends(project.id)
        assert backend["title"] == "Ours"
        project.manifest()
        project.apply(prune=True)
        assert len(project.studio.backends(project.id)) == len(project.studio.webhooks(project.id)) == 1


def test_a_backend_that_does_not_answer_fails_last_and_the_rest_is_done(project: Project) -> None:
    with ml_backend() as url:
        pass
    project.settings = project.settings.model_copy(update={"backend_url": url})
    project.manifest("title: Some reviews\nbackend: {}\nviews: [{title: Ours}]\n")
    with pytest.raises(StudioError):
        project.sync(apply=True)
    assert {change.kind for change in project.sync().changes} == {"backend"}
