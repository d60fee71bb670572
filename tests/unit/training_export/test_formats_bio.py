"""BIO2 tags in CoNLL-style files."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.labeling.errors import InputError
from ml_backend.labeling.kinds.spans import Span
from sdk_scripts.training_export.formats import Written
from sdk_scripts.training_export.formats._tokens import tokens
from sdk_scripts.training_export.formats.bio import tags_of, write
from sdk_scripts.training_export.model import ControlSet
from tests.unit.training_export.made_exports import asked, export, marked, row, some
from tests.unit.training_export.test_formats_tokens import anything

labels = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6), min_size=1, max_size=4, unique=True
)


def written(folder: Path, controls: ControlSet) -> Written:
    return write(export(controls), folder)


def read(folder: Path, split: str = "train") -> dict[int, tuple[str, list[tuple[int, int, str]]]]:
    """Task -> text, spans; from the files alone, in a reader's own way."""
    names = json.loads((folder / "tags.json").read_bytes())
    blocks = re.findall(r"((?:[^\n]+\n)+)\n", (folder / f"{split}.conll").read_bytes().decode())
    texts = [json.loads(line) for line in (folder / f"{split}.jsonl").read_bytes().decode().split("\n")[:-1]]
    assert len(blocks) == len(texts)
    found = {}
    for block, about in zip(blocks, texts, strict=True):
        lines = [line.split("\t") for line in block.split("\n")[:-1]]
        assert [word for word, _ in lines] == [
            about["text"][a:b] for a, b in zip(about["starts"], about["ends"], strict=True)
        ]
        spans: list[tuple[int, int, str]] = []
        for (_, tag), start, end in zip(lines, about["starts"], about["ends"], strict=True):
            if tag.startswith("B-"):
                spans.append((start, end, names[tag[2:]]))
            elif tag.startswith("I-"):
                assert spans[-1][2] == names[tag[2:]]
                spans[-1] = (spans[-1][0], end, spans[-1][2])
        found[about["task"]] = (about["text"], spans)
    return found


def test_a_line_is_a_token_a_tab_and_its_tag(tmp_path: Path) -> None:
    lost = written(tmp_path, asked("spans", ["brand"], marked(1, "New Acme, 2 left", (0, 8, "brand")), marked(2, "ok")))
    assert (tmp_path / "marks/train.conll").read_text() == (
        "New\tB-brand\nAcme\tI-brand\n,\tO\n2\tO\nleft\tO\n\nok\tO\n\n"
    )
    assert not lost.lost


def test_neighbours_of_one_label_stay_two_spans(tmp_path: Path) -> None:
    written(tmp_path, asked("spans", "A", marked(1, "東京大阪", (0, 2, "A"), (2, 4, "A"))))
    assert read(tmp_path / "marks") == {1: ("東京大阪", [(0, 2, "A"), (2, 4, "A")])}


@given(st.data())
def test_every_span_of_whole_tokens_that_overlaps_no_other_comes_back_at_its_place(data: st.DataObject) -> None:
    names = data.draw(labels)
    rows = []
    for task in range(data.draw(st.integers(1, 3))):
        text = data.draw(anything)
        cuts = (
            data.draw(st.sets(st.integers(0, max(0, len(places := tokens(text)) - 1)), max_size=6))
            if tokens(text)
            else set()
        )
        ends = sorted(cuts)
        spans = [
            (places[first][0], places[max(first, after - 1)][1], data.draw(st.sampled_from(names)))
            for first, after in zip(ends[::2], ends[1::2], strict=False)
        ]
        rows.append(marked(task, text, *spans))
    expected = {
        it.task: (it.text, [(s.start, s.end, s.labels[0]) for s in it.regions]) for it in rows if tokens(it.text)
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not expected:
            with pytest.raises(InputError, match="no text of it has a token"):
                written(folder, asked("spans", names, *rows))
            return
        lost = written(folder, asked("spans", names, *rows)).lost
        assert read(folder / "marks") == expected
        assert set(lost) <= {"a text without a token: left out"}


@given(labels)
def test_a_tag_holds_no_blanks_and_tells_its_label(names: list[str]) -> None:
    tags = tags_of(names)
    assert list(tags) == names
    assert len(set(tags.values())) == len(names)
    assert all(tag and len(tag.split()) == 1 and len(tag.splitlines()) == 1 for tag in tags.values())
    assert all(tags[name] == name for name in names if re.fullmatch(r"\w+", name))


def test_labels_that_differ_in_blanks_alone_have_different_tags() -> None:
    assert tags_of(["a b", "a\tb", "a_b", "a_b_2", "\n", " "]) == {
        "a b": "a_b_3",
        "a\tb": "a_b_4",
        "a_b": "a_b",
        "a_b_2": "a_b_2",
        "\n": "_",
        " ": "__2",
    }


def test_what_overlaps_a_longer_span_is_counted_with_its_task(tmp_path: Path) -> None:
    lost = written(tmp_path, asked("spans", "AB", marked(4, "a b c", (0, 5, "A"), (2, 3, "B"))))
    assert lost.lost == {"a span that overlaps a longer one: left out": (4,)}
    assert read(tmp_path / "marks") == {4: ("a b c", [(0, 5, "A")])}


def test_splits_have_files_of_their_own(tmp_path: Path) -> None:
    files = written(tmp_path, some("spans")).files
    assert sorted(it.name for it in files) == sorted(
        [f"{split}.{ending}" for split in ("train", "validation", "test") for ending in ("conll", "jsonl")]
        + ["tags.json"]
    )
    assert {task for split in ("train", "validation", "test") for task in read(tmp_path / "marks", split)} == {1, 2, 3}


def test_seconds_of_a_recording_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'speech' \(task 1\).*seconds"):
        written(tmp_path, some("seconds"))


def test_a_label_that_the_mapping_does_not_list_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Task 3 has the label 'B' in control 'marks'"):
        written(tmp_path, asked("spans", "A", marked(3, "a b", (0, 1, "B"))))


def test_half_of_a_surrogate_pair_moves_no_offset(tmp_path: Path) -> None:
    written(tmp_path, asked("spans", "A", row(1, text="\ud83dx Acme", regions=(Span(3, 7, ("A",)),))))
    assert read(tmp_path / "marks") == {1: ("?x Acme", [(3, 7, "A")])}
