from __future__ import annotations

from pathlib import Path

import pytest

from ml_backend.images.clip import Clip
from tests.unit.images.pictures import tiny_clip


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def clip(clip_folder: Path) -> Clip:
    return Clip(str(clip_folder), local=True, name="tiny-clip")
