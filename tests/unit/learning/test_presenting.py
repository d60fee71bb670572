"""Predictions with the reasons for them: whatever is shown is explained, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ml_backend.briefs import Brief, Precedent, _text, note_audits
from ml_backend.encoder import Encoder
from ml_backend.labeling.arms import Arms
from ml_backend.labeling.results import read_prediction
from ml_backend.model_registry import ModelRegistry
from ml_backend.policy import Policy
from ml_backend.predictor import Predictor
from ml_backend.prelabelers import Opinion
from ml_backend.training import train
from tests.unit.learning.reviews import labelled
from tests.unit.learning.test_explanations import CONFIG

PROJECT, SECRET = "1.1795381865", "a secret of the tests"
TEXT = "Honestly, the lamp works perfectly and I love it."
LIKE_IT = "Honestly, this lamp works perfectly and I just love it."


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train(PROJECT, CONFIG, labelled(120), encoder, ModelRegistry(str(folder)))
    return folder


@pytest.fixture
def registry(tmp_path: Path, trained: Path) -> ModelRegistry:
    shutil.copytree(trained, tmp_path / "models")
    return ModelRegistry(str(tmp_path / "models"))


@pytest.fixture
def predictor(registry: ModelRegistry, encoder: Encoder) -> Predictor:
    return Predictor(registry, encoder, policy_secret=SECRET)


def tasks(count: int = 1) -> list[dict[str, Any]]:
    return [{"id": id, "data": {"text": TEXT}} for id in range(1, count + 1)]


def said(item: dict[str, Any]) -> str:
    lines = [text for it in item["result"] if it["from_name"] == "why" for text in it["value"]["text"]]
    return "\n".join(lines).lower()


def test_a_prediction_says_which_words_speak_for_it_in_regions_nobody_edits_by_mistake(predictor: Predictor) -> None:
    (item,) = predictor.predict(PROJECT, CONFIG, tasks()).results
    assert "for positive" in said(item)
    marked = [it for it in item["result"] if it["from_name"] == "drove"]
    assert marked
    assert all(it["readonly"] and it["value"]["text"] in TEXT for it in marked)
    assert item["score"] == next(it["score"] for it in item["result"] if it["from_name"] == "sentiment")


def test_a_new_precedent_is_cited_at_once_in_items_that_were_remembered_too(
    registry: ModelRegistry, predictor: Predictor
) -> None:
    before = predictor.write(PROJECT, CONFIG, tasks()).items
    assert predictor.written(PROJECT, CONFIG.xml, tasks()) is not None
    case = Precedent(LIKE_IT, "sentiment", '["positive"]', "Plain praise of the thing itself.", "2.1")
    registry.write_brief(PROJECT, _text(Brief(precedents=(case,))))
    after = predictor.write(PROJECT, CONFIG, tasks()).items
    assert "plain praise" not in before[0].lower()
    assert "plain praise" in after[0].lower()
    assert predictor.written(PROJECT, CONFIG.xml, tasks()).items == after  # type: ignore[union-attr]


def test_a_blind_task_is_told_nothing_and_an_audited_one_comes_first(
    registry: ModelRegistry, predictor: Predictor
) -> None:
    note_audits(registry, PROJECT, [2])
    plain, audited = predictor.predict(PROJECT, CONFIG, tasks(2)).results
    assert said(plain)
    assert audited == {"result": [], "score": 0.0, "model_version": plain["model_version"]}


def test_a_seeded_answer_is_explained_like_the_others(registry: ModelRegistry, predictor: Predictor) -> None:
    registry.write_brief(PROJECT, _text(Brief(Policy(seeded=0.2))))
    arms = Arms(SECRET, 0.0, 0.2)
    many = tasks(60)
    for task, item in zip(many, predictor.predict(PROJECT, CONFIG, many).results, strict=True):
        (answer,) = (it["value"]["choices"][0] for it in item["result"] if it["from_name"] == "sentiment")
        assert (answer != "positive") == (arms.of(task["id"]) == "seeded")
        assert f"for {answer}" in said(item) or f"like {answer}" in said(item)
        assert "against" not in said(item)
        assert {it["from_name"] for it in item["result"] if "meta" in it} == {"sentiment"}
        assert read_prediction(item).regions


def test_another_opinion_than_the_models_is_presented_with_its_own_reasons(predictor: Predictor) -> None:
    opinion = Opinion(("negative",), 0.7, {"negative": 0.7, "positive": 0.3})
    (item,) = predictor.present(PROJECT, CONFIG, tasks(), [{"sentiment": opinion}], Arms())
    assert item["score"] == 0.7
    assert "negative" in said(item)
    assert item["model_version"] == predictor.model_version(PROJECT, CONFIG)
