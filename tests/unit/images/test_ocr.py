"""Text in images, read by the real RapidOCR."""

from __future__ import annotations

import socket
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from ml_backend.encoder import Encoder, SeeingEncoder, load_encoder, look_of
from ml_backend.examples import examples_of, text_hashes
from ml_backend.images.decoding import decode
from ml_backend.images.ocr import Ocr
from ml_backend.labeling.config import parse
from ml_backend.labeling.errors import ConfigError
from ml_backend.model_registry import ModelRegistry
from ml_backend.predictor import Predictor
from ml_backend.prelabelers import readings_of
from ml_backend.settings import Settings
from tests.unit.images.pictures import square, uri, written
from tests.unit.learning.reviews import choice, task

TOPICS = parse("""<View><Image name="image" value="$image"/><Text name="title" value="$title"/>
  <Choices name="topic" toName="image"><Choice value="Food"/><Choice value="Sports"/></Choices></View>""")
PICTURE = written("Soup with bread and butter")


@pytest.fixture
def reading(settings: Settings) -> Encoder:
    return load_encoder(settings.model_copy(update={"ocr": True}))


def test_what_is_written_in_an_image_is_read_without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("it asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    ocr = Ocr()
    assert ocr.read(decode(PICTURE)) == "Soup with bread and butter"
    assert ocr.read(decode(square("red"))) == ""
    assert ocr.read(decode(square("red", (1, 1)))) == ""


def test_it_stands_after_the_texts_of_the_task_and_answers_it(reading: Encoder, tmp_path: Path) -> None:
    data = [{"image": uri(PICTURE), "title": "A title"}, {"image": uri(PICTURE)}, {"image": uri(square("red"))}]
    both, alone, nothing = readings_of(TOPICS, TOPICS["topic"], data, look_of(reading))
    assert both.text == "A title\nSoup with bread and butter"
    assert alone.text == "Soup with bread and butter"
    assert not nothing
    predictor = Predictor(ModelRegistry(str(tmp_path / "models")), reading)
    answers = predictor.predict("1.1", TOPICS, [{"id": i, "data": it} for i, it in enumerate(data[1:])])
    assert [item and item["result"][0]["value"]["choices"] for item in answers.results] == [["Food"], {}]


def test_it_is_read_once(reading: Encoder, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    data = [{"image": uri(PICTURE)}]
    first = readings_of(TOPICS, TOPICS["topic"], data, look_of(reading))
    monkeypatch.setattr(Ocr, "read", None)
    again = load_encoder(settings.model_copy(update={"ocr": True}))
    assert readings_of(TOPICS, TOPICS["topic"], data, look_of(again)) == first


def test_images_without_text_are_no_examples_and_vectors_stay_as_they_are(reading: Encoder, encoder: Encoder) -> None:
    tasks = [task(i, {"image": uri(it)}, [choice("topic", "Food")]) for i, it in enumerate((PICTURE, square("red")), 1)]
    known = examples_of(TOPICS, tasks, reading)["topic"]
    assert known.tasks == (1,)
    assert len(text_hashes(known)) == 1
    assert isinstance(reading, SeeingEncoder)
    assert (reading.id, reading.dimension) == (encoder.id, encoder.dimension)


def test_without_its_package_it_says_what_to_install(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("ml_backend.images.ocr.version", missing)
    with pytest.raises(ConfigError, match=r"tiebreak\[ocr\]"):
        load_encoder(settings.model_copy(update={"ocr": True}))
