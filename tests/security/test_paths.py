"""No name that somebody else can choose leads out of its folder, and what is made at home is nobody else's to read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from ml_backend.app import create_app
from ml_backend.encoder import Encoder
from ml_backend.labeling.errors import InputError, TiebreakError
from ml_backend.model_registry import ModelRegistry
from ml_backend.project_state import project_id_of
from ml_backend.report_history import ReportHistory
from ml_backend.settings import Settings
from ml_backend.studio.trail import Trail
from ml_backend.valkey import Valkey
from sdk_scripts.manifest import load_manifest
from sdk_scripts.monitoring.findings_store import FindingsStore
from sdk_scripts.sampling.lots import checked
from sdk_scripts.task_sources import rejects_path
from tests.security.test_who_may_ask import asked
from tests.unit.serving.running import SENTIMENT

KEY = "7.1795381865"
ID = "20261126T101010Z-0a1b2c"
LEADING_OUT = [
    "..", ".", "", "/", "../secret", "/etc/passwd", "a/../../secret", "..\\secret", "%2e%2e%2fsecret", "a\x00b",
    "secret\n", "7.1/../../secret", "a" * 5_000, "٧", "-7", "~root", "7.1 ", "file:///etc/passwd",
]  # fmt: skip

NAMED: dict[str, Callable[[Settings, str], Any]] = {
    "a project": lambda _, name: project_id_of(name),
    "a project's models": lambda settings, name: ModelRegistry(settings.models).versions(name),
    "a version": lambda settings, name: ModelRegistry(settings.models).load(KEY, name),
    "a version to promote": lambda settings, name: ModelRegistry(settings.models).promote(KEY, name),
    "a project's reports": lambda settings, name: ReportHistory(settings, name),
    "a report": lambda settings, name: ReportHistory(settings, KEY).read(name, "report.html"),
    "a file of a report": lambda settings, name: ReportHistory(settings, KEY).read(ID, name),
    "a project's findings": lambda settings, name: FindingsStore(settings, name).standings(),
    "a lot": lambda _, name: checked(name),
}


@pytest.fixture
def secret(settings: Settings) -> Path:
    """Files to be reached from every folder below the home."""
    for folder in (settings.home.parent, settings.home, settings.folder("models"), settings.folder("models/reports")):
        (folder / "secret").write_text("secret")
        for name in ("model.json", "report.html", "standings.json"):
            (folder / name).write_text('{"secret": 1}')
    return settings.home


@pytest.mark.parametrize("what", NAMED)
@pytest.mark.parametrize("name", LEADING_OUT, ids=ascii)
def test_a_name_that_leads_elsewhere_is_refused(settings: Settings, secret: Path, what: str, name: str) -> None:
    with pytest.raises(TiebreakError) as told:
        NAMED[what](settings, name)
    assert len(str(told.value)) < 6_000


def test_nor_does_one_in_a_request(settings: Settings, secret: Path, encoder: Encoder) -> None:
    signed_in = {"backend_user": "a", "backend_password": SecretStr("b")}
    app = create_app(settings.model_copy(update=signed_in), encoder=encoder)
    for name in LEADING_OUT:
        said = quote(name, safe="")
        for path in (f"/versions?project={said}", f"/console/reports/{said}/{ID}/report.html", f"/console/x{said}"):
            assert asked(app, path, authorization="Basic YTpi") in (400, 404), path


@pytest.mark.parametrize("file", ["../secret", "/etc/passwd", "a/../../secret", "link"])
@pytest.mark.parametrize("field", ["label_config", "guidelines", "quality"])
def test_a_manifest_reads_its_own_folder_only(tmp_path: Path, field: str, file: str) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "config.xml").write_text(SENTIMENT)
    fields = {"label_config": "config.xml", field: file}
    lines = [f"{name}: {value}" for name, value in fields.items()]
    (folder / "project.yaml").write_text("\n".join(["name: a", "title: Reviews", *lines]))
    with pytest.raises(InputError, match="leads out of the manifest's folder"):
        load_manifest(folder / "project.yaml")


@pytest.mark.parametrize("name", ["../../x.csv", "/etc/passwd", "..", "a\nb.csv"], ids=ascii)
def test_what_could_not_be_imported_is_written_below_its_folder(tmp_path: Path, name: str) -> None:
    assert rejects_path(tmp_path, "reviews", Path(name)).resolve().parent == tmp_path / "reviews"


def test_folders_at_home_are_for_their_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    settings = Settings(_env_file=None, home=home)
    settings.folder("models")
    Trail(home / "audit").note("POST", "/api/projects/", None, {}, {})
    with Valkey(home / "valkey"):
        made = [home.parent, home, *(it for it in home.iterdir() if it.is_dir())]
    assert len(made) >= 5
    assert {oct(it.stat().st_mode & 0o077) for it in made} == {"0o0"}
