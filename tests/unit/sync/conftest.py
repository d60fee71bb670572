from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from pydantic import SecretStr

from ml_backend.settings import Settings, load_settings
from sdk_scripts.manifest import Manifest, load_manifest
from tests.unit.sync.remote import URL

CONFIG = """<View>
  <Text name="review" value="$text"/>
  <Choices name="verdict" toName="review"><Choice value="ham"/><Choice value="spam"/></Choices>
  <Rating name="stars" toName="review" maxRating="5"/>
</View>"""

Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Makes a manifest's folder: `folder("name: x …", **{"config.xml": "<View/>"})` -> path of its project.yaml."""

    def make(yaml: str, **files: str | bytes) -> Path:
        made = tmp_path / "project"
        made.mkdir(exist_ok=True)
        for name, content in {"config.xml": CONFIG, **files, "project.yaml": dedent(yaml)}.items():
            raw = content if isinstance(content, bytes) else content.encode()
            (made / name).write_bytes(raw)
        return made / "project.yaml"

    return make


@pytest.fixture
def manifest(folder: Folder) -> Callable[..., Manifest]:
    """Loads a manifest named `reviews` with these further lines."""

    def load(yaml: str = "", **files: str | bytes) -> Manifest:
        return load_manifest(folder(f"name: reviews\ntitle: Reviews\n{dedent(yaml)}", **files))

    return load


@pytest.fixture
def bare(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path)


@pytest.fixture
def full(bare: Settings) -> Settings:
    return bare.model_copy(
        update={
            "backend_url": URL,
            "backend_user": "tiebreak-user",
            "backend_password": SecretStr("hunter2"),
            "webhook_secret": SecretStr("s3cr3t"),
        }
    )
