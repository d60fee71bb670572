"""The steps of docker/*Dockerfile in a clean folder, and what comes of them, started without a network.

By itself the suite takes the installed packages and the converted encoder from here, and builds and installs Tiebreak;
`make image-check` (IMAGE_CHECK=1) runs every step of both files.
"""

from __future__ import annotations

import os
import shutil
import signal
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.unit.deploy.composing import DOCKER
from tests.unit.deploy.image_steps import Image, may_contain

WHOLE = bool(os.environ.get("IMAGE_CHECK"))
INSTALL = (
    "uv pip install --no-cache --torch-backend $TORCH_BACKEND $TORCH "
    "&& uv pip install --no-cache --no-deps --require-hashes -r requirements.lock"
)
pytestmark = [
    pytest.mark.skipif(not may_contain(), reason="needs root, `unshare` and `setpriv`"),
    pytest.mark.timeout(3600 if WHOLE else 600),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not of pytest's own, which are root's alone."""
    with TemporaryDirectory(prefix="tiebreak-image-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_the_image_starts_without_a_network_and_predicts(folder: Path, converted_encoders: str) -> None:
    def use_ours(image: Image) -> None:
        site = next((image.folder / "opt/tiebreak/lib").glob("python3*/site-packages"))
        (site / "installed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        shutil.copytree(converted_encoders, image.folder / "opt/tiebreak/encoders")

    image = Image(DOCKER / "Dockerfile", folder, {} if WHOLE else {INSTALL: use_ours})
    image.build()
    seen = image.run(
        writable=("/data", "/tmp"),  # noqa: S108
        answers="http://127.0.0.1:9090/health",
        seconds=240,
        TIEBREAK_BACKEND_OPEN="true",
    )
    assert_contained(seen)
    assert seen["health"] == {"status": "UP", "model_class": "TiebreakModel", "ready": True}
    [prediction] = seen["predicted"]["results"]
    assert prediction["result"][0]["value"]["choices"] == ["cinema"]
    assert not (folder / "data/encoders").exists()  # the image's own was there, ready


@pytest.mark.skipif(not WHOLE, reason="takes minutes; run by make image-check")
def test_the_image_of_label_studio_starts_with_its_secrets_in_files(folder: Path, services: dict[str, Any]) -> None:
    image = Image(DOCKER / "label-studio.Dockerfile", folder, {})
    image.build()
    (folder / "tmp/password").write_text("of-the-first-account")
    seen = image.run(
        writable=("/label-studio/data", "/tmp", "/home/studio"),  # noqa: S108
        answers="http://127.0.0.1:8080/health",
        seconds=500,
        DJANGO_DB="sqlite",
        LABEL_STUDIO_USERNAME="admin@example.com",
        LABEL_STUDIO_PASSWORD_FILE="/tmp/password",  # noqa: S108
        **{name: value for name, value in services["label-studio"]["environment"].items() if "SENTRY" in name},
    )
    assert_contained(seen)
    assert seen["health"] == {"status": "UP"}


def assert_contained(seen: dict[str, Any]) -> None:
    print(seen)  # noqa: T201  # shown by make image-check
    assert seen["network"] == "ENETUNREACH"
    assert seen["written"] == []
    assert seen["users"] == [10001]
    assert -seen["ended"] in (0, signal.SIGTERM)  # it was asked to end
