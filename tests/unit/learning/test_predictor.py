from __future__ import annotations

import gc
import json
import math
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_backend.encoder import Encoder
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.errors import InputError, ModelUnavailable
from ml_backend.live_models import LiveModels
from ml_backend.model_registry import ModelRegistry
from ml_backend.predictor import Answers, Predictor
from ml_backend.training import train
from tests.unit.learning.reviews import SENTIMENT, choice, labelled, reviews, task

PROJECT = "1.1795381865"
POSITIVE, NEGATIVE = "Honestly, the lamp works perfectly and I love it.", "My router is a waste of money."


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(str(tmp_path / "models"))


@pytest.fixture
def predictor(registry: ModelRegistry, encoder: Encoder) -> Predictor:
    return Predictor(registry, encoder)


def asked(*texts: Any) -> list[dict[str, Any]]:
    return [{"id": i, "data": {"text": text}, "annotations": []} for i, text in enumerate(texts)]


def picked(answers: Answers, control: str = "sentiment") -> list[list[str] | None]:
    return [
        next((r["value"]["choices"] for r in item.get("result", ()) if r["from_name"] == control), None)
        for item in answers.results
    ]


def test_before_any_training_the_label_names_answer(predictor: Predictor) -> None:
    answers = predictor.predict(PROJECT, SENTIMENT, asked(POSITIVE, NEGATIVE))
    assert picked(answers) == [["positive"], ["negative"]]
    assert answers.model_version.startswith("zero-shot-")
    assert answers.model_version == predictor.model_version(PROJECT, SENTIMENT)
    for item in answers.results:
        (region,) = item["result"]
        assert item["model_version"] == answers.model_version
        assert item["score"] == region["score"]
        assert 0 < item["score"] < 0.9


def test_the_zero_shot_version_names_what_its_answers_depend_on(predictor: Predictor) -> None:
    other_hint = parse(SENTIMENT.xml.replace("happy", "delighted"))
    other_look = parse(SENTIMENT.xml.replace("<View>", '<View style="color: red">'))
    version = predictor.model_version(PROJECT, SENTIMENT)
    assert predictor.model_version(PROJECT, other_look) == version
    assert predictor.model_version("2.2", SENTIMENT) == version
    assert predictor.model_version(PROJECT, other_hint) != version


def test_a_promoted_version_answers_from_the_next_request_on(
    predictor: Predictor, registry: ModelRegistry, encoder: Encoder
) -> None:
    predictor.predict(PROJECT, SENTIMENT, asked(POSITIVE))
    first = train(PROJECT, SENTIMENT, labelled(40), encoder, registry)
    assert predictor.predict(PROJECT, SENTIMENT, asked(POSITIVE)).model_version == first.version
    second = train(PROJECT, SENTIMENT, labelled(60), encoder, registry)
    answers = predictor.predict(PROJECT, SENTIMENT, asked(POSITIVE, NEGATIVE))
    assert answers.model_version == second.version
    assert picked(answers) == [["positive"], ["negative"]]
    registry.rollback(PROJECT)
    assert predictor.predict(PROJECT, SENTIMENT, asked(POSITIVE)).model_version == first.version


def test_projects_are_apart(predictor: Predictor, registry: ModelRegistry, encoder: Encoder) -> None:
    version = train(PROJECT, SENTIMENT, labelled(40), encoder, registry).version
    assert predictor.model_version(PROJECT, SENTIMENT) == version
    assert predictor.model_version("2.2", SENTIMENT).startswith("zero-shot-")


def test_a_task_without_an_answer_or_that_is_none_costs_only_itself(predictor: Predictor) -> None:
    deep: Any = "text"
    for _ in range(5_000):
        deep = [deep]
    tasks: list[Any] = [
        *asked(POSITIVE, "", None, 7, deep),
        None,
        "task",
        {},
        {"data": None},
        {"data": {"x": 1}},
        *asked(NEGATIVE),
    ]
    answers = predictor.predict(PROJECT, SENTIMENT, tasks)
    assert len(answers.results) == len(tasks)
    assert [bool(item) for item in answers.results] == [True, False, False, True, False, *[False] * 5, True]


def test_no_tasks_are_no_answers(predictor: Predictor) -> None:
    assert predictor.predict(PROJECT, SENTIMENT, []).results == []


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON | st.fixed_dictionaries({"data": JSON | st.fixed_dictionaries({"text": JSON})}), max_size=5))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_comes_there_is_one_item_a_task(predictor: Predictor, tasks: Sequence[Mapping[str, Any]]) -> None:
    answers = predictor.predict(PROJECT, SENTIMENT, tasks)
    assert len(answers.results) == len(tasks)
    assert all(item == {} or 0 <= item["score"] <= 1 for item in answers.results)


def test_the_score_is_that_of_the_least_certain_answer(predictor: Predictor) -> None:
    config = parse(SENTIMENT.xml.replace("</View>", '<Rating name="rating" toName="text"/></View>'))
    (item,) = predictor.predict(PROJECT, config, asked(POSITIVE)).results
    scores = {region["from_name"]: region["score"] for region in item["result"]}
    assert set(scores) == {"sentiment", "rating"}
    assert item["score"] == min(scores.values())


def test_a_control_nobody_can_answer_is_left_out(predictor: Predictor) -> None:
    more = '<TextArea name="why" toName="text"/><Labels name="spans" toName="text"><Label value="x"/></Labels></View>'
    (item,) = predictor.predict(PROJECT, parse(SENTIMENT.xml.replace("</View>", more)), asked(POSITIVE)).results
    assert [region["from_name"] for region in item["result"]] == ["sentiment"]


def test_a_project_of_images_gets_no_answers(predictor: Predictor) -> None:
    config = parse(
        '<View><Image name="i" value="$image"/><Choices name="c" toName="i"><Choice value="a"/><Choice value="b"/>'
        "</Choices></View>"
    )
    answers = predictor.predict(PROJECT, config, [{"data": {"image": "/data/a.png"}}])
    assert answers.results == [{}]
    assert answers.model_version.startswith("zero-shot-")


def test_a_control_out_of_sight_is_not_answered(predictor: Predictor) -> None:
    complaint = """<Choices name="about" toName="text" visibleWhen="choice-selected" whenTagName="sentiment"
      whenChoiceValue="negative"><Choice value="price"/><Choice value="quality"/></Choices></View>"""
    answers = predictor.predict(PROJECT, parse(SENTIMENT.xml.replace("</View>", complaint)), asked(POSITIVE, NEGATIVE))
    assert [found is not None for found in picked(answers, "about")] == [False, True]


def test_a_changed_control_falls_back_to_its_label_names_and_the_others_keep_their_heads(
    predictor: Predictor, registry: ModelRegistry, encoder: Encoder
) -> None:
    before = parse(SENTIMENT.xml.replace("</View>", f"{topic('lamp', 'router')}</View>"))
    tasks = [
        task(i, {"text": text}, [choice("sentiment", label), choice("topic", ("lamp", "router")[i % 2])])
        for i, (text, label) in enumerate(reviews(40), 1)
    ]
    version = train(PROJECT, before, tasks, encoder, registry).version
    kept = predictor.predict(PROJECT, before, asked(POSITIVE))
    after = parse(SENTIMENT.xml.replace("</View>", f"{topic('lamp', 'router', 'garden')}</View>"))
    answers = predictor.predict(PROJECT, after, asked(POSITIVE))
    assert answers.model_version == version
    assert score(answers, "sentiment") == score(kept, "sentiment")
    assert picked(answers, "topic") == [["lamp"]]


def topic(*labels: str) -> str:
    listed = "".join(f'<Choice value="{label}"/>' for label in labels)
    return f'<Choices name="topic" toName="text">{listed}</Choices>'


def score(answers: Answers, control: str) -> float:
    return next(r["score"] for r in answers.results[0]["result"] if r["from_name"] == control)


def damage_live(registry: ModelRegistry, root: Path) -> None:
    live = registry.live(PROJECT)
    assert live is not None
    (root / "models" / PROJECT / live / "arrays.safetensors").write_bytes(b"torn")


def test_a_damaged_live_version_leaves_the_old_one_serving(
    predictor: Predictor, registry: ModelRegistry, encoder: Encoder, tmp_path: Path
) -> None:
    first = train(PROJECT, SENTIMENT, labelled(40), encoder, registry)
    assert predictor.model_version(PROJECT, SENTIMENT) == first.version
    train(PROJECT, SENTIMENT, labelled(60), encoder, registry)
    damage_live(registry, tmp_path)
    assert predictor.predict(PROJECT, SENTIMENT, asked(POSITIVE)).model_version == first.version
    fresh = Predictor(registry, encoder)
    assert fresh.predict(PROJECT, SENTIMENT, asked(POSITIVE)).model_version == first.version


def test_with_no_version_that_can_be_loaded_the_label_names_answer(
    registry: ModelRegistry, encoder: Encoder, tmp_path: Path
) -> None:
    train(PROJECT, SENTIMENT, labelled(40), encoder, registry)
    damage_live(registry, tmp_path)
    assert Predictor(registry, encoder).model_version(PROJECT, SENTIMENT).startswith("zero-shot-")


def test_a_registry_that_cannot_be_read_keeps_what_is_loaded_and_fails_for_the_rest(
    predictor: Predictor, registry: ModelRegistry, encoder: Encoder, tmp_path: Path
) -> None:
    version = train(PROJECT, SENTIMENT, labelled(40), encoder, registry).version
    assert predictor.model_version(PROJECT, SENTIMENT) == version
    for name in ("live.json", "live.copy.json"):
        (tmp_path / "models" / PROJECT / name).write_text("torn")
    assert predictor.model_version(PROJECT, SENTIMENT) == version
    with pytest.raises(ModelUnavailable):
        Predictor(registry, encoder).model_version(PROJECT, SENTIMENT)


def test_a_model_made_for_another_encoder_does_not_answer(registry: ModelRegistry, encoder: Encoder) -> None:
    version = train(PROJECT, SENTIMENT, labelled(40), encoder, registry).version
    assert LiveModels(registry, "another").live(PROJECT) is None
    live = LiveModels(registry, encoder.id).live(PROJECT)
    assert live is not None
    assert live.info.version == version


def test_a_project_key_that_is_none_is_refused(predictor: Predictor) -> None:
    with pytest.raises(InputError):
        predictor.predict("../etc", SENTIMENT, asked(POSITIVE))


def test_models_beyond_the_memory_bound_are_dropped_and_loaded_again(registry: ModelRegistry, encoder: Encoder) -> None:
    keys = [f"{number}.1" for number in range(4)]
    version = {key: train(key, SENTIMENT, labelled(30), encoder, registry).version for key in keys}
    models = LiveModels(registry, encoder.id, most_bytes=1)
    for key in [*keys, *keys]:
        live = models.live(key)
        assert live is not None
        assert live.info.version == version[key]
        assert sum(known.model is not None for known in models._projects.values()) == 1


def test_the_context_of_an_interactive_request_changes_nothing(predictor: Predictor) -> None:
    context = {"result": [{"from_name": "sentiment", "value": {"choices": ["negative"]}}]}
    assert predictor.predict(PROJECT, SENTIMENT, asked(POSITIVE), context) == predictor.predict(
        PROJECT, SENTIMENT, asked(POSITIVE)
    )


def test_while_versions_are_promoted_every_response_is_whole_and_of_one_version(
    predictor: Predictor, registry: ModelRegistry, encoder: Encoder
) -> None:
    versions = [train(PROJECT, SENTIMENT, labelled(count), encoder, registry).version for count in (30, 50)]
    expected = {}
    for version in versions:
        registry.promote(PROJECT, version)
        expected[version] = Predictor(registry, encoder).predict(PROJECT, SENTIMENT, asked(POSITIVE, NEGATIVE)).results
    stop = threading.Event()

    def switch() -> None:
        number = 0
        while not stop.is_set():
            registry.promote(PROJECT, versions[number % 2])
            number += 1

    def ask(_: int) -> bool:
        answers = predictor.predict(PROJECT, SENTIMENT, asked(POSITIVE, NEGATIVE))
        return answers.results == expected[answers.model_version]

    with ThreadPoolExecutor(6) as threads:
        switching = threads.submit(switch)
        try:
            assert all(threads.map(ask, range(200)))
        finally:
            stop.set()
        switching.result()


def test_the_moderation_config_is_answered_where_labels_say_enough(predictor: Predictor) -> None:
    config: LabelConfig = parse(
        Path(__file__).parents[3].joinpath("label_configs/listing_moderation/config.xml").read_text()
    )
    data = {
        "title": "Replica designer watch 1:1",
        "price": "20",
        "description": "Looks like the real one, contact me on WhatsApp",
    }
    (item,) = predictor.predict(PROJECT, config, [{"data": data}]).results
    named = {region["from_name"] for region in item["result"]}
    assert "verdict" in named
    assert named <= {"verdict", "policy", "severity", "why", "drove"}


def test_doubts_are_those_of_the_predictions(predictor: Predictor) -> None:
    tasks = [*asked(POSITIVE, NEGATIVE, "", None), {"id": 9}, None]
    answers = predictor.predict(PROJECT, SENTIMENT, tasks)
    doubts = predictor.doubts(PROJECT, SENTIMENT, tasks)
    assert doubts.model_version == answers.model_version
    scores = [item.get("score", math.nan) for item in answers.results]
    assert doubts.confidence == pytest.approx(scores, abs=1e-6, nan_ok=True)
    assert np.isfinite(doubts.doubt).tolist() == [bool(item) for item in answers.results]
    assert doubts.doubt[:2].min() >= 0
    assert doubts.doubt[:2].max() <= 1
    assert doubts.vectors.shape == (len(tasks), predictor._encoder.dimension)
    assert np.linalg.norm(doubts.vectors, axis=1).tolist() == pytest.approx([1, 1, 0, 0, 0, 0], abs=1e-2)


def test_no_task_is_in_doubt_where_there_is_none(predictor: Predictor) -> None:
    doubts = predictor.doubts(PROJECT, SENTIMENT, [])
    assert doubts.doubt.shape == doubts.confidence.shape == (0,)
    assert len(doubts.vectors) == 0


def test_what_a_model_thought_goes_with_the_model(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml_backend.plans.CONFIGS", 1)
    predictor.predict(PROJECT, SENTIMENT, asked(POSITIVE))
    other = parse(SENTIMENT.xml.replace("happy", "delighted"))
    predictor.predict(PROJECT, other, asked(NEGATIVE))
    predictor.predict(PROJECT, SENTIMENT, asked(POSITIVE))
    gc.collect()
    predictor.predict(PROJECT, other, asked(NEGATIVE))
    plans = predictor._plans._zero_shot.values()
    kept = {number for plan in plans for number, _ in plan.heads.values()}
    assert {number for number, _ in predictor._found} == kept
    assert {number for number, _ in predictor._written} <= {
        plan.number for plan in predictor._plans._zero_shot.values()
    }


def test_what_is_written_is_what_is_predicted_the_first_time_and_from_memory(
    predictor: Predictor, registry: ModelRegistry, encoder: Encoder
) -> None:
    tasks: list[Any] = [*asked(POSITIVE, NEGATIVE, "", "half \ud800", None, 7), None, {"data": {}}]
    for count in (0, 40, 60):
        if count:
            train(PROJECT, SENTIMENT, labelled(count), encoder, registry)
            assert predictor.written(PROJECT, SENTIMENT.xml, asked(POSITIVE)) is None
        expected = predictor.predict(PROJECT, SENTIMENT, tasks)
        for _ in range(2):
            written = predictor.write(PROJECT, SENTIMENT, tasks)
            assert [json.loads(item) for item in written.items] == expected.results
        at_once = predictor.written(PROJECT, SENTIMENT.xml, asked(POSITIVE, NEGATIVE))
        assert at_once is not None
        assert [json.loads(item) for item in at_once.items] == expected.results[:2]
        assert at_once.model_version == expected.model_version
        assert predictor.written(PROJECT, SENTIMENT.xml, asked(POSITIVE, "never seen")) is None


def test_written_items_and_prepared_configs_keep_within_their_bytes(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml_backend.predictor.WRITTEN_BYTES", 2_000)
    predictor.write(PROJECT, SENTIMENT, asked(*(text for text, _ in reviews(20))))
    assert 0 < predictor._written_bytes <= 2_000
    assert predictor._written_bytes == sum(len(item) + 300 for item in predictor._written.values())
    monkeypatch.setattr("ml_backend.plans.CONFIG_BYTES", 1)
    predictor.write(PROJECT, parse(SENTIMENT.xml.replace("happy", "delighted")), asked(POSITIVE))
    assert len(predictor._plans._zero_shot) == 1


def test_opinions_are_of_texts_the_live_version_has_not_learned_from(
    predictor: Predictor, registry: ModelRegistry, encoder: Encoder
) -> None:
    known = labelled(40)
    new = [
        task(1001, {"text": POSITIVE}),
        task(1002, {"text": known[0].data["text"].upper()}),
        task(1003, {"text": ""}),
    ]
    with pytest.raises(ModelUnavailable, match="No version is trained yet"):
        predictor.opinions(PROJECT, SENTIMENT, new)
    train(PROJECT, SENTIMENT, known, encoder, registry)
    found = predictor.opinions(PROJECT, SENTIMENT, [*known, *new])["sentiment"]
    assert set(found) == {1001}
    assert found[1001].answer == ("positive",)
    assert found[1001].probabilities["positive"] > 0.5
