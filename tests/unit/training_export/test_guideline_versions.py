"""Which version of the guidelines held when."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ml_backend.briefs import refresh_policy
from ml_backend.cases import policy_version
from ml_backend.guideline_history import GuidelineHistory
from ml_backend.labeling.errors import InputError
from ml_backend.labeling.results import project_key
from ml_backend.model_registry import ModelRegistry
from sdk_scripts.training_export.pairs import Policies

KEY = "4.1795000000"
DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 6)]


def test_a_version_is_noted_when_it_is_another_than_the_last(tmp_path: Path) -> None:
    history = GuidelineHistory(str(tmp_path))
    assert history.note(KEY, "a", DAYS[0])
    assert not history.note(KEY, "a", DAYS[1])
    assert history.note(KEY, "b", DAYS[2])
    assert history.note(KEY, "a", DAYS[3])
    assert GuidelineHistory(str(tmp_path)).of(KEY) == [(DAYS[0], "a"), (DAYS[2], "b"), (DAYS[3], "a")]


def test_what_held_at_a_time_is_the_last_noted_before_and_nothing_before_the_first() -> None:
    policies = Policies([(DAYS[1], "a"), (DAYS[3], "b")])
    assert [policies.at(day) for day in DAYS] == ["", "a", "a", "b", "b"]
    assert policies.at(None) == ""


def test_a_damaged_history_is_none_and_is_made_anew(tmp_path: Path) -> None:
    history = GuidelineHistory(str(tmp_path))
    history.note(KEY, "a", DAYS[0])
    (tmp_path / "guidelines" / f"{KEY}.json").write_text('[["x"')
    assert history.of(KEY) == []
    assert history.note(KEY, "b", DAYS[1])
    assert history.of(KEY) == [(DAYS[1], "b")]
    with pytest.raises(InputError):
        history.of("../evil")


def test_whoever_looks_at_a_project_notes_its_guidelines(tmp_path: Path) -> None:
    project = {"id": 4, "created_at": "2026-11-22T12:00:00Z", "expert_instruction": "<p>Be kind.</p>"}
    refresh_policy(ModelRegistry(str(tmp_path)), project)
    ((_, version),) = GuidelineHistory(str(tmp_path)).of(project_key(project))
    assert version == policy_version(project) != ""
