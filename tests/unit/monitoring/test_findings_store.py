"""What is known of findings is kept beside the models, on a disk and on other storage."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from ml_backend.labeling.errors import InputError
from ml_backend.settings import Settings
from sdk_scripts.monitoring.findings_state import Acknowledgement, Standings
from sdk_scripts.monitoring.findings_store import FindingsStore
from tests.unit.monitoring.inspections import KEY, after, finding, inspection


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, settings: Settings) -> FindingsStore:
    if request.param == "memory":
        settings = settings.model_copy(update={"models_url": f"memory://{uuid.uuid4().hex}"})
    return FindingsStore(settings, KEY)


def test_there_is_nothing_before_the_first_inspection(store: FindingsStore) -> None:
    assert store.standings() == Standings()
    assert store.acknowledgements() == {}
    assert store.told() == {}


def test_what_is_kept_is_read_back(store: FindingsStore) -> None:
    standings = after(inspection(finding("ana"), finding("bо", message="‮<b>")), inspection(finding("ana")))
    store.keep(standings)
    assert store.standings() == standings


def test_an_acknowledgement_replaces_the_one_before_and_no_other(store: FindingsStore) -> None:
    for key, why in (("a|../..|x", "first"), ("b", "other"), ("a|../..|x", "second")):
        store.acknowledge(Acknowledgement(key, why, "2026-01-01", "2026-01-01", 0.1))
    assert {key: it.why for key, it in store.acknowledgements().items()} == {"a|../..|x": "second", "b": "other"}


@pytest.mark.parametrize("content", ["{", "[]", "null", '{"at": 1}', '{"at": "", "open": [{}], "cleared": []}'])
def test_damaged_files_count_as_none(settings: Settings, content: str) -> None:
    store = FindingsStore(settings, KEY)
    folder = Path(settings.models) / "inspections" / KEY
    (folder / "acknowledged").mkdir(parents=True)
    for name in ("standings", "alerts", "acknowledged/a"):
        (folder / f"{name}.json").write_text(content)
    assert store.standings() == Standings()
    assert store.acknowledgements() == {}


def test_a_project_key_leaves_no_folder(settings: Settings) -> None:
    with pytest.raises(InputError):
        FindingsStore(settings, "../7.1")
