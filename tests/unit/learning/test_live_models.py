"""Many projects on one backend: as many models in memory as there is room for, and nothing left of the others."""

from __future__ import annotations

import gc
import json
import tracemalloc
import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ml_backend.encoder import Encoder
from ml_backend.live_models import LiveModels
from ml_backend.model_registry import Model, ModelRegistry
from ml_backend.predictor import Predictor
from ml_backend.training import train
from tests.unit.learning.reviews import SENTIMENT, labelled

PROJECTS = 40


def key(number: int) -> str:
    return f"{number}.1795381865"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> ModelRegistry:
    """Forty projects with a small model each."""
    registry = ModelRegistry(str(tmp_path_factory.mktemp("models")))
    version = train(key(0), SENTIMENT, labelled(60), encoder, registry).version
    model = registry.load(key(0), version)
    for number in range(1, PROJECTS):
        info = replace(model.info, labels=60 + number)
        registry.promote(key(number), registry.save(key(number), replace(model, info=info)))
    return registry


def asked(number: int) -> list[dict[str, Any]]:
    return [{"id": 1, "data": {"text": f"Project {number} has a lamp that works perfectly and I love it."}}]


def test_a_low_bound_is_kept_whoever_asks_and_everybody_is_answered(registry: ModelRegistry, encoder: Encoder) -> None:
    one = registry.load(key(0), registry.live(key(0)) or "").serving()
    models = LiveModels(registry, encoder.id, most_bytes=5 * one.bytes + one.bytes // 2)
    kept: list[weakref.ref[Model]] = []
    for number in [*range(PROJECTS), *range(PROJECTS)]:
        model = models.live(key(number))
        assert model is not None
        assert model.info.labels == 60 + number
        kept.append(weakref.ref(model))
        del model
        assert sum(it().bytes for it in kept if it() is not None) <= 5.5 * one.bytes  # type: ignore[union-attr]
    assert sum(it() is not None for it in kept) == 5


def test_the_predictor_lets_go_of_heads_with_their_model(registry: ModelRegistry, encoder: Encoder) -> None:
    one = registry.load(key(0), registry.live(key(0)) or "").serving()
    predictor = Predictor(registry, encoder)
    predictor._plans._models = LiveModels(registry, encoder.id, most_bytes=3 * one.bytes)
    for number in range(PROJECTS):
        answers = predictor.predict(key(number), SENTIMENT, asked(number))
        assert answers.results[0]["score"] > 0
    gc.collect()
    assert len(predictor._plans._trained) <= 3


def test_what_a_model_is_said_to_take_is_no_less_than_it_takes(registry: ModelRegistry, encoder: Encoder) -> None:
    predictor = Predictor(registry, encoder)
    predictor.predict(key(0), SENTIMENT, asked(0))
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(1, 21):
            predictor.predict(key(number), SENTIMENT, asked(number))
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    said = 20 * registry.load(key(1), registry.live(key(1)) or "").serving().bytes
    assert 0.3 * said < taken < 1.1 * said


def test_serving_needs_neither_outcomes_nor_what_was_learned_from(registry: ModelRegistry, encoder: Encoder) -> None:
    whole = registry.load(key(0), registry.live(key(0)) or "")
    served = LiveModels(registry, encoder.id).live(key(0))
    assert served is not None
    assert (dict(served.outcomes), dict(served.learned_from)) == ({}, {})
    assert served.bytes < whole.bytes
    arrays = sum(it.nbytes for it in whole.heads["sentiment"].state.arrays.values())
    assert served.bytes >= arrays + len(json.dumps(whole.info.to_json()))
    assert np.isfinite(served.heads["sentiment"].state.arrays["weights"]).all()
