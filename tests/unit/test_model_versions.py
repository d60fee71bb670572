"""What the registry's commands say, of versions whose outcomes are made up."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from ml_backend.labeling.errors import InputError, UnknownName
from ml_backend.labeling.kinds import KINDS, Answer
from ml_backend.model_registry import Model, ModelRegistry, StoredHead, VersionInfo
from ml_backend.outcomes import Outcomes
from ml_backend.prelabelers import Opinion, State
from ml_backend.prelabelers._evaluation import evaluate
from sdk_scripts.model_versions import NOT_YET, find_version, sentences, thresholds, version_rows
from sdk_scripts.shown import version as show_version
from tests.unit.learning.reviews import SENTIMENT

PROJECT = "1.1795381865"


def outcomes(n: int = 2_000) -> Outcomes:
    """Nearly always right, but for one answer in 20, "negative", which is wrong half of the time."""
    rng = np.random.default_rng(0)
    negative = rng.random(n) < 0.05
    correct = rng.random(n) < np.where(negative, 0.5, 0.995)
    answered = np.where(negative, 0, 1).astype(np.int32)
    expected = np.where(correct, answered, 1 - answered).astype(np.int32)
    return Outcomes(
        texts=np.arange(n, dtype=np.uint64),
        confidence=np.where(negative, 0.8, 0.9).astype(np.float32) + rng.random(n).astype(np.float32) / 20,
        correct=correct,
        answered=answered,
        expected=expected,
        answers=('["negative"]', '["positive"]'),
    )


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    registry = ModelRegistry(str(tmp_path))
    for day, control in enumerate(("sentiment", "formerly"), 1):
        info = VersionInfo(
            version="",
            created_at=datetime(2026, 11, day, tzinfo=UTC),
            labels=2_000,
            metrics={control: {"accuracy": 0.97, "ece": 0.01, "coverage": {"0.95": 0.9, "0.99": None}}},
            fingerprint="f",
            label_fingerprint="l",
            data_fingerprint="d",
            config_fingerprint="c",
            encoder="e",
            recipe=1,
            reason="It is the first.",
        )
        head = StoredHead("few_shot", "s", State({}, {}))
        model = Model(info, {control: head}, {control: np.arange(3, dtype=np.uint64)}, {control: outcomes()})
        version = registry.save(PROJECT, model)
        if day == 1:
            registry.promote(PROJECT, version)
    return registry


def test_versions_are_listed_a_row_a_control(registry: ModelRegistry) -> None:
    newest, live = version_rows(registry.versions(PROJECT))
    assert (newest["control"], newest["live"], live["control"], live["live"]) == ("formerly", False, "sentiment", True)
    assert (live["accuracy"], live["ece"], live["coverage at 0.95"], live["accepted"]) == (0.97, 0.01, 0.9, True)
    assert live["reason"] == "It is the first."


def test_the_live_version_is_found_without_a_name(registry: ModelRegistry) -> None:
    live = registry.live(PROJECT)
    assert find_version(registry, PROJECT).version == live
    with pytest.raises(UnknownName, match=str(live)):
        find_version(registry, PROJECT, "few-shot-1-0")
    with pytest.raises(InputError, match="no trained version"):
        find_version(registry, "8.1")


def test_a_budget_over_everything_says_which_label_pays_for_it(registry: ModelRegistry) -> None:
    found = thresholds(registry, PROJECT, SENTIMENT, error=0.05, certainty=0.95)
    control = found["controls"]["sentiment"]
    assert control["threshold"]["coverage"] > 0.95
    assert control["labels_needed"] == 2_000
    assert {it["label"] for it in control["truths"]} == {"negative", "positive"}
    text = "\n".join(sentences(found))
    assert "accept from confidence 0.8" in text
    assert "in truth negative are wrong" in text


def test_by_label_each_answer_has_its_own_threshold_or_none(registry: ModelRegistry) -> None:
    found = thresholds(registry, PROJECT, SENTIMENT, error=0.02, certainty=0.95, by="label")
    groups = found["controls"]["sentiment"]["groups"]
    assert list(groups) == ["positive", "negative"]
    assert groups["positive"]["threshold"]["coverage"] > 0.9
    assert groups["negative"]["threshold"] is None
    assert groups["negative"]["labels_needed"] is None
    assert f"answer negative ({groups['negative']['labels']} labels): {NOT_YET}" in "\n".join(sentences(found))


def test_what_cannot_be_promised_yet_says_about_how_many_labels_it_takes(registry: ModelRegistry) -> None:
    found = thresholds(registry, PROJECT, SENTIMENT, error=0.006, certainty=0.99999)
    control = found["controls"]["sentiment"]
    assert control["threshold"] is None
    assert 2_000 < control["labels_needed"] < 100_000
    assert f"{NOT_YET} (at most 0.6 % errors, with certainty 0.99999): at the present rate" in "\n".join(
        sentences(found)
    )


def test_names_that_are_none_are_refused_with_those_that_are(registry: ModelRegistry) -> None:
    with pytest.raises(UnknownName, match="sentiment"):
        thresholds(registry, PROJECT, SENTIMENT, error=0.1, certainty=0.95, control="mood")
    with pytest.raises(UnknownName, match="overall"):
        thresholds(registry, PROJECT, SENTIMENT, error=0.1, certainty=0.95, by="severity")
    with pytest.raises(InputError, match="error budget"):
        thresholds(registry, PROJECT, SENTIMENT, error=2, certainty=0.95)


def test_a_control_the_config_no_longer_has_shows_its_keys(registry: ModelRegistry) -> None:
    (newest, *_) = registry.versions(PROJECT)
    registry.promote(PROJECT, newest.version)
    found = thresholds(registry, PROJECT, SENTIMENT, error=0.05, certainty=0.95, by="label")
    assert list(found["controls"]["formerly"]["groups"]) == ['["positive"]', '["negative"]']


def test_ratings_are_shown_with_how_far_off_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    stars: list[Answer] = [1, 2, 3, 4]
    labels: list[Answer] = [("a",), ("b",)]
    metrics = {
        "rating": evaluate(KINDS["rating"], stars, [Opinion(2, 0.5)] * 4),
        "topic": evaluate(KINDS["choices"], labels, [Opinion(("a",), 0.5)] * 2),
    }
    show_version({"version": "v", "labels": 4, "live": True, "reason": "", "metrics": metrics})
    rating, topic = capsys.readouterr().out.split("topic")
    assert "mean absolute error" in rating
    assert "1.000" in rating
    assert "mean absolute error" not in topic
