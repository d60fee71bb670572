"""The doctor and a project of a real Label Studio: each link of its connection is broken and found."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from ml_backend.encoder import Encoder
from ml_backend.labeling.results import project_key
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from ml_backend.valkey import Valkey
from ml_backend.webhook_secrets import WebhookSecrets
from sdk_scripts.doctor import Checked, diagnose
from tests.contract.studio_projects import Projects
from tests.unit.serving.running import SENTIMENT, eventually, serving

SECRET = "the secret of webhooks"
OF_PROJECT = ("project", "connection", "webhook", "model version")


def test_every_link_of_a_connection_is_looked_at(
    studio: Studio, studio_settings: Settings, valkey: Valkey, encoder: Encoder, new_project: Projects
) -> None:
    fields: dict[str, Any] = {"redis_url": SecretStr(valkey.url), "webhook_secret": SecretStr(SECRET)}
    fields |= {"backend_user": "studio", "backend_password": SecretStr("a password")}
    settings = studio_settings.model_copy(update=fields)
    project = new_project(tasks=2, label_config=SENTIMENT)
    with serving(settings, encoder) as client:
        url = str(client.base_url).rstrip("/")
        eventually(lambda: client.get("/health").json()["ready"], what="the encoder")
        settings = settings.model_copy(update={"backend_url": url})

        def seen() -> dict[str, Checked]:
            return {it.name: it for it in diagnose(settings, str(project))}

        found = seen()
        assert [found[name].ok for name in ("label studio", "token", "version", "backend")] == [True] * 4
        assert [found[name].ok for name in OF_PROJECT] == [True, False, None, False]
        assert "tiebreak sync" in found["connection"].mend

        credentials = {"basic_auth_user": "studio", "basic_auth_pass": "a password"}
        studio.add_backend(project, {"url": url, "title": "Tiebreak", **credentials})
        found = seen()
        assert found["connection"].ok
        assert found["webhook"].ok is False  # Label Studio made one of its own, which bears no secret
        assert "TIEBREAK_WEBHOOK_SECRET" in found["webhook"].detail

        [hook] = studio.webhooks(project)
        own = WebhookSecrets(SECRET).of(project_key(studio.project(project)))
        studio.update_webhook(hook["id"], {"headers": {"X-Tiebreak-Secret": own}})
        assert seen()["webhook"] == Checked("webhook", True, f"Label Studio's webhook to {url}/webhook arrives.")
        studio.update_webhook(hook["id"], {"is_active": False})
        assert "switched off" in seen()["webhook"].detail

        assert "tiebreak prelabel" in found["model version"].mend
        tasks = [task["id"] for task in studio.tasks(project, data_only=True)]
        region = {"from_name": "sentiment", "to_name": "text", "type": "choices", "value": {"choices": ["positive"]}}
        studio.import_predictions(
            project, [{"task": task, "model_version": "v1", "score": 0.5, "result": [region]} for task in tasks]
        )
        assert seen()["model version"].detail == "The project shows Tiebreak, of which no prediction is stored."
        studio.update_project(project, {"model_version": "v1"})
        assert seen()["model version"] == Checked("model version", True, "v1: 2 predictions.")
        studio.update_project(project, {"show_collab_predictions": False})
        assert "not shown" in seen()["model version"].detail
    assert seen()["connection"].ok is False
    assert "does not reach" in seen()["connection"].detail
