"""A folder that `datasets` opens."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds.boxes import Box
from ml_backend.labeling.kinds.spans import Span
from sdk_scripts.training_export.formats import huggingface
from sdk_scripts.training_export.front_matter import front_matter
from sdk_scripts.training_export.model import Export
from tests.unit.training_export.made_exports import CONTROLS, Load, asked, control, drawn, export, labelled, row, some

HOSTILE = [
    "---",
    "a\n---\nb",
    "yes",
    "null",
    "~",
    " ",
    "1.0",
    "- a: {b}",
    "# no comment",
    "'\"\\",
    "&anchor *alias !tag |>%@`",
    "\u2028\x85\x00\x1b[31m\ufeff",
    "\u202eturned",
    "名前 Zoë 👩🏽",
    "{{ jinja }} ${x}",
    "long " * 2_000,
]


def written(folder: Path, made: Export) -> Path:
    folder.mkdir()
    assert not huggingface.write(made, folder).lost
    return folder


def test_each_control_is_a_config_with_the_features_of_its_kind(tmp_path: Path, load: Load) -> None:
    from datasets import ClassLabel, List, Value

    folder = written(tmp_path / "set", export(*map(some, CONTROLS)))
    label = ClassLabel(names=["a", "b"])
    expected = {
        "choices": ({"label": label, "soft": List(Value("float64"))}, {"label": 0, "soft": [0.75, 0.25]}),
        "many": ({"labels": List(ClassLabel(names=["a", "b", "c"]))}, {"labels": [0, 1]}),
        "taxonomy": ({"labels": List(ClassLabel(names=["Food", "Food / Fruit"]))}, {"labels": [1]}),
        "rating": ({"label": ClassLabel(names=[*"12345"]), "value": Value("int64")}, {"label": 0, "value": 1}),
        "number": ({"value": Value("float64")}, {"value": 0.5}),
        "spans": (
            {
                "spans": List(
                    {
                        "start": Value("int64"),
                        "end": Value("int64"),
                        "label": ClassLabel(names=["brand", "name"]),
                        "text": Value("string"),
                    }
                )
            },
            {
                "spans": [
                    {"start": 0, "end": 4, "label": 0, "text": "Acme"},
                    {"start": 11, "end": 14, "label": 1, "text": "Zoë"},
                ]
            },
        ),
        "boxes": (
            {
                "image": Value("string"),
                "width": Value("int64"),
                "height": Value("int64"),
                "boxes": List(
                    {
                        **{name: Value("float64") for name in ("x", "y", "width", "height", "rotation")},
                        "label": ClassLabel(names=["logo", "face"]),
                        "page": Value("int64"),
                    }
                ),
            },
            {
                "image": "https://images.test/1-0.jpg",
                "width": 640,
                "height": 480,
                "boxes": [{"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "label": 0, "page": 0}],
            },
        ),
        "pairwise": ({"label": ClassLabel(names=["left", "right"])}, {"label": 0}),
        "text": ({"value": List(Value("string"))}, {"value": ["why", "not"]}),
        "seconds": (
            {"spans": List({"start": Value("float64"), "end": Value("float64"), "label": ClassLabel(names=["voice"])})},
            {"spans": [{"start": 0.5, "end": 2.25, "label": 0}]},
        ),
    }
    assert expected.keys() == CONTROLS.keys()
    for of, (features, cells) in expected.items():
        loaded = load(folder, control(of).name)
        assert {split: [it["task"] for it in rows] for split, rows in loaded.items()} == {
            "train": [1],
            "validation": [2],
            "test": [3],
        }
        assert {name: loaded["train"].features[name] for name in features} == features
        first = loaded["train"][0]
        assert {name: first[name] for name in cells} == cells


def test_a_row_says_how_sure_it_is_and_where_it_comes_from(tmp_path: Path, load: Load) -> None:
    made = labelled(1, "a", marks=frozenset({"unsure", "gold"}), agreement=None, quality=None)
    loaded = load(written(tmp_path / "set", export(asked("choices", "a", made))), split="train")
    cells = loaded[0]
    assert json.loads(cells.pop("data")) == made.data
    assert cells == {
        "task": 1,
        "text": "some words",
        "label": 0,
        "confidence": 0.75,
        "judgements": 2,
        "agreement": None,
        "quality": None,
        "provenance": "human",
        "policy": "v1",
        "labelled_at": "2026-11-26T12:00:00+00:00",
        "group": 1,
        "marks": ["gold", "unsure"],
    }


def test_soft_labels_are_in_the_order_of_the_names_and_null_where_votes_do_not_tell(tmp_path: Path, load: Load) -> None:
    rows = labelled(1, "b", soft={"c": 0.25, "b": 0.75}), labelled(2, "a")
    loaded = load(written(tmp_path / "set", export(asked("choices", "abc", *rows))), split="train")
    assert list(loaded["soft"]) == [[0.0, 0.75, 0.25], None]


def test_the_first_control_opens_without_a_name_unless_one_is_called_default(tmp_path: Path, load: Load) -> None:
    made = export(some("choices"), some("rating"))
    assert load(written(tmp_path / "set", made))["train"][0]["label"] == 0
    named = replace(some("rating"), control=replace(control("rating"), name="default"))
    loaded = load(written(tmp_path / "named", export(some("choices"), named)))
    assert loaded["train"][0]["value"] == 1


def test_a_card_beside_the_folder_leads_to_it(tmp_path: Path, load: Load) -> None:
    made = export(some("spans"), some("choices"))
    written(tmp_path / "huggingface", made)
    (tmp_path / "README.md").write_text(front_matter(huggingface.front(made, "huggingface")) + "# A card\n")
    assert load(tmp_path, "topic")["train"].features["label"].names == ["a", "b"]
    assert load(tmp_path)["test"][0]["spans"][0]["text"] == "Acme"


def test_hostile_names_of_labels_come_back_as_they_were(tmp_path: Path, load: Load) -> None:
    rows = [labelled(n, name) for n, name in enumerate(HOSTILE)]
    loaded = load(written(tmp_path / "set", export(asked("choices", HOSTILE, *rows))), split="train")
    names = loaded.features["label"]
    assert names.names == HOSTILE
    assert [names.int2str(place) for place in loaded["label"]] == HOSTILE


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(HOSTILE),
        unique=True,
        min_size=1,
    )
)
def test_any_names_of_labels_survive_the_card(names: list[str]) -> None:
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCard

    made = export(asked("many", names, labelled(1, names[0])))
    card = DatasetCard(front_matter(huggingface.front(made, "")) + "# Reviews\n---\n")
    features = DatasetInfosDict.from_dataset_card_data(card.data)["topics"].features
    assert features["labels"].feature.names == names


def test_a_control_of_any_name_is_a_config(tmp_path: Path, load: Load) -> None:
    made = replace(some("choices"), control=replace(control("choices"), name="../a|b: *[名]?"))
    folder = written(tmp_path / "set", export(made))
    assert {path.parent.parent for path in folder.glob("*/*.parquet")} == {folder}
    assert load(folder, made.folder)["train"][0]["task"] == 1


def test_images_on_several_pages_come_with_their_sizes(tmp_path: Path, load: Load) -> None:
    made = drawn(1, Box(1, 2, 3, 4, 0, ("A", "B"), 1), pages=2)
    loaded = load(written(tmp_path / "set", export(asked("boxes", "AB", made, drawn(2, size=None)))), split="train")
    assert loaded[0]["images"][1] == {"address": "https://images.test/1-1.jpg", "width": 640, "height": 480}
    assert [(it["page"], it["label"]) for it in loaded[0]["boxes"]] == [(1, 0), (1, 1)]
    assert loaded[1]["images"] == [{"address": "https://images.test/2-0.jpg", "width": None, "height": None}]


def test_labels_nobody_listed_are_those_the_rows_have(tmp_path: Path, load: Load) -> None:
    made = asked("choices", [], labelled(1, "new"), labelled(2, "apart", soft={"apart": 0.6, "other": 0.4}))
    loaded = load(written(tmp_path / "set", export(made)), split="train")
    assert loaded.features["label"].names == ["apart", "new", "other"]
    assert list(loaded["label"]) == [1, 0]


def test_a_number_that_the_mapping_bins_has_a_label_beside_it(tmp_path: Path, load: Load) -> None:
    made = asked("number", ["low", "high"], replace(labelled(1, "high"), answer=7.5))
    loaded = load(written(tmp_path / "set", export(made)), split="train")
    assert loaded.features["label"].names == ["low", "high"]
    assert (loaded[0]["label"], loaded[0]["value"]) == (1, 7.5)


def test_regions_without_labels_have_none(tmp_path: Path, load: Load) -> None:
    loaded = load(written(tmp_path / "set", export(asked("boxes", [], drawn(1, Box(1, 2, 3, 4))))), split="train")
    assert loaded[0]["boxes"][0]["label"] is None


def test_many_rows_are_several_files_in_order(tmp_path: Path, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface, "SHARD", 4)
    folder = written(tmp_path / "set", export(asked("choices", "a", *(labelled(n, "a") for n in range(10)))))
    assert sorted(it.name for it in folder.glob("topic/*")) == [f"train-0000{n}-of-00003.parquet" for n in range(3)]
    assert list(load(folder, split="train")["task"]) == list(range(10))


def test_a_control_without_rows_is_left_to_the_card(tmp_path: Path, load: Load) -> None:
    folder = written(tmp_path / "set", export(asked("rating", "12345"), some("choices")))
    assert load(folder)["train"][0]["label"] == 0


@pytest.mark.parametrize("labels", [(), ("a", "b")])
def test_a_control_that_takes_one_label_is_refused_others_by_name(tmp_path: Path, labels: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=f"Task 6 has {len(labels)} labels in control 'topic', which takes one"):
        huggingface.write(export(asked("choices", "ab", labelled(6, *labels))), tmp_path)


@pytest.mark.parametrize("made", [labelled(6, "c"), labelled(6, "a", soft={"a": 0.5, "c": 0.5})])
def test_a_label_that_the_mapping_does_not_list_is_refused_by_name(tmp_path: Path, made: Any) -> None:
    with pytest.raises(InputError, match="Task 6 has the label 'c' in control 'topic'"):
        huggingface.write(export(asked("choices", "ab", made)), tmp_path)


def test_half_of_a_surrogate_pair_costs_nothing_but_itself(tmp_path: Path, load: Load) -> None:
    made = row(1, text="\ud83d Acme", data={"text": "\ud83d Acme"}, regions=(Span(2, 6, ("A",)),))
    loaded = load(written(tmp_path / "set", export(asked("spans", "A", made))), split="train")
    assert loaded[0]["text"] == "? Acme"
    assert loaded[0]["spans"][0]["text"] == "Acme"
