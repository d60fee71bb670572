"""An image uploaded to a real Label Studio, and read by the backend through its API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from ml_backend.encoder import load_encoder
from ml_backend.labeling.results import project_key
from ml_backend.settings import Settings
from ml_backend.studio import Studio
from tests.unit.images.pictures import square, written
from tests.unit.serving.running import serving

TOPICS = """<View><Image name="image" value="$image"/>
  <Choices name="topic" toName="image"><Choice value="Food"/><Choice value="Sports"/></Choices></View>"""


@pytest.fixture
def project(studio: Studio, studio_server: Any) -> Iterator[dict[str, Any]]:
    project = studio.create_project({"title": "Images", "label_config": TOPICS})
    headers = {"Authorization": f"Token {studio_server.token}"}
    with httpx.Client(base_url=studio_server.url, headers=headers, timeout=120, trust_env=False) as as_admin:
        for name, content in {"soup.png": written("Soup with bread and butter"), "red.png": square("red")}.items():
            file = {"file": (name, content, "image/png")}
            as_admin.post(f"/api/projects/{project['id']}/import", files=file).raise_for_status()
    yield project
    studio.delete_project(project["id"])


@pytest.mark.parametrize("kind", ["token", "pat"])
def test_text_in_an_uploaded_image_answers_its_task(
    studio: Studio, studio_server: Any, studio_settings: Settings, project: dict[str, Any], kind: str
) -> None:
    tasks = sorted(studio.tasks(project["id"]), key=lambda task: task["data"]["image"].endswith("red.png"))
    assert all(task["data"]["image"].startswith("/data/upload/") for task in tasks)
    token = SecretStr(getattr(studio_server, kind))
    settings = studio_settings.model_copy(update={"ocr": True, "studio_token": token})
    body = {"tasks": tasks, "project": project_key(project), "label_config": TOPICS}
    with serving(settings, load_encoder(settings)) as client:
        soup, red = client.post("/predict", json=body).raise_for_status().json()["results"]
    assert soup["result"][0]["value"]["choices"] == ["Food"]
    assert red == {}
