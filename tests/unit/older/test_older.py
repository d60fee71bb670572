"""What earlier commits really wrote (`make.py`) is read by today's code; what a newer one writes is left alone."""

from __future__ import annotations

import json
import tarfile
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ml_backend.encoder import Encoder
from ml_backend.formats import FORMAT, NAME, PARTS, claim
from ml_backend.guideline_history import GuidelineHistory
from ml_backend.labeling.errors import ConfigError, InputError
from ml_backend.model_registry import ModelRegistry
from ml_backend.predictor import Predictor
from ml_backend.report_history import ReportHistory
from ml_backend.settings import Settings
from ml_backend.studio.trail import Trail
from ml_backend.training import train
from sdk_scripts.cli import app
from sdk_scripts.monitoring.alerts import Told
from sdk_scripts.monitoring.findings_store import FindingsStore
from sdk_scripts.restore import _read as read_backup
from sdk_scripts.snapshots.kept import Snapshot
from tests.unit.learning.reviews import SENTIMENT, labelled

KEY = "1.1795381865"
AT = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def older(home: Path) -> Path:
    """A home with the models, findings, reports and snapshots of earlier commits."""
    with tarfile.open(Path(__file__).with_name("stores.tar.gz")) as stores:
        stores.extractall(home, filter="data")
    return home


def test_a_model_of_an_earlier_commit_serves(older: Path, encoder: Encoder) -> None:
    registry = ModelRegistry(str(older / "model"))
    version = registry.live(KEY)
    assert version == "few-shot-10-0de94b5a8a0fb16c"
    predicted = Predictor(registry, encoder).predict(
        KEY, SENTIMENT, [{"id": 1, "data": {"text": "wonderful, I love it"}}]
    )
    assert predicted.model_version == version
    assert predicted.results[0]["result"][0]["value"] == {"choices": ["positive"]}


def test_a_model_of_a_form_before_is_passed_over_and_the_project_trains_anew(older: Path, encoder: Encoder) -> None:
    registry = ModelRegistry(str(older / "model2"))
    assert registry.versions(KEY) == []
    outcome = train(KEY, SENTIMENT, labelled(10), encoder, registry)
    assert outcome.promoted
    assert registry.live(KEY) == outcome.version


def test_findings_alerts_and_acknowledgements_of_an_earlier_commit_go_on(older: Path, settings: Settings) -> None:
    store = FindingsStore(settings.model_copy(update={"models_url": str(older / "findings" / "models")}), KEY)
    [standing] = store.standings().open.values()
    assert (standing.rule, standing.evidence) == ("speed", (1, 2))
    assert store.acknowledgements()[standing.key].holds(standing)
    assert Told.from_json(store.told()).findings[standing.key].since == standing.since


def test_reports_guidelines_snapshots_and_the_trail_of_an_earlier_commit_are_there(
    older: Path, settings: Settings
) -> None:
    before = settings.model_copy(update={"models_url": str(older / "kept" / "models")})
    newest = ReportHistory(before, KEY).newest()
    assert newest is not None
    assert newest[1] == {"title": "Older"}
    assert GuidelineHistory(before.models).of(KEY) == [(AT, "0123456789ab")]
    snapshot = Snapshot(older / "kept" / "snapshots" / KEY, "http://studio")
    assert [task["id"] for part in snapshot.index().parts for task in snapshot.tasks(part)] == [1, 2]
    [entry] = Trail(older / "kept" / "audit").entries(project=7)
    assert entry["call"] == "PATCH /api/projects/7/"


def test_a_backup_without_its_about_file_is_read_and_a_newer_one_refused(tmp_path: Path) -> None:
    (tmp_path / "project.json").write_text(json.dumps({"title": "Older", "label_config": "<View/>"}))
    assert read_backup(tmp_path).fields["title"] == "Older"
    (tmp_path / "about.json").write_text(json.dumps({"format": 99, "tiebreak": "9.0"}))
    with pytest.raises(InputError, match=r"has format 99 \(Tiebreak 9.0\)"):
        read_backup(tmp_path)


def test_a_home_is_claimed_and_one_of_a_newer_tiebreak_is_left_alone(
    older: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(settings)
    assert json.loads((older / NAME).read_text())["format"] == FORMAT
    claim(settings)
    (older / NAME).write_text(json.dumps({"format": FORMAT + 1, "tiebreak": "9.0"}))
    before = sorted(older.rglob("*"))
    with pytest.raises(ConfigError, match=r"written by Tiebreak 9\.0"):
        claim(settings)
    monkeypatch.setenv("TIEBREAK_HOME", str(older))
    ran = CliRunner().invoke(app, ["audit"])
    assert isinstance(ran.exception, ConfigError)
    assert sorted(older.rglob("*")) == before


def test_a_storage_of_models_elsewhere_is_claimed_too(tmp_path: Path, settings: Settings) -> None:
    elsewhere = settings.model_copy(update={"models_url": f"memory://{tmp_path.name}"})
    claim(elsewhere)
    files = ModelRegistry(f"memory://{tmp_path.name}")._files
    assert json.loads(files.read(NAME) or b"")["format"] == FORMAT
    files.write(NAME, b'{"format": 99, "tiebreak": "9.0"}')
    with pytest.raises(ConfigError, match="TIEBREAK_MODELS_URL"):
        claim(elsewhere)


def test_a_stamp_that_is_damaged_is_written_anew(home: Path, settings: Settings) -> None:
    (home / NAME).write_text("{")
    claim(settings)
    assert json.loads((home / NAME).read_text())["format"] == FORMAT


@pytest.mark.parametrize("name", [name for name, part in PARTS.items() if part.own])
def test_what_has_a_number_of_its_own_has_it_where_the_table_says(name: str) -> None:
    assert import_module(PARTS[name].own).FORMAT >= 1
