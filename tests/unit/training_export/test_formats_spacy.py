"""spaCy's DocBin, read by spaCy."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_backend.labeling.errors import InputError
from sdk_scripts.training_export.formats.spacy import write
from tests.unit.training_export.made_exports import asked, export, labelled, marked, some
from tests.unit.training_export.test_formats_tokens import anything

if TYPE_CHECKING:
    from spacy.tokens import Doc


def docs(path: Path) -> list[Doc]:
    import spacy  # seconds that collecting tests would pay
    from spacy.tokens import DocBin

    return list(DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab))


def spans_of(doc: Doc) -> list[tuple[int, int, str]]:
    return [(it.start_char, it.end_char, it.label_) for it in doc.spans["sc"]]


def test_spans_that_overlap_are_in_the_group_and_the_longest_are_entities(tmp_path: Path) -> None:
    text = "  New Acme shop,\n\n東京 é"
    made = marked(4, text, (2, 10, "brand"), (6, 15, "shop"), (18, 20, "place"))
    lost = write(export(asked("spans", ["brand", "place", "shop"], made)), tmp_path).lost
    (doc,) = docs(tmp_path / "marks/train.spacy")
    assert doc.text == text
    assert (tmp_path / "marks/train.jsonl").read_text() == '{"task": 4}\n'
    assert spans_of(doc) == [(2, 10, "brand"), (6, 15, "shop"), (18, 20, "place")]
    assert [(it.text, it.label_) for it in doc.ents] == [("New Acme", "brand"), ("東京", "place")]
    assert lost == {'a span that overlaps a longer one: in doc.spans["sc"] alone': (4,)}


@settings(max_examples=40)
@given(anything, st.lists(st.tuples(st.integers(0, 45), st.integers(1, 20), st.sampled_from("AB")), max_size=6))
def test_texts_come_back_as_they_were_and_no_span_is_lost_without_a_word(
    text: str, drawn: list[tuple[int, int, str]]
) -> None:
    made = marked(1, text, *((start, start + length, label) for start, length, label in drawn))
    with tempfile.TemporaryDirectory() as folder:
        lost = write(export(asked("spans", "AB", made, marked(2, "more"))), Path(folder)).lost
        doc, *_ = docs(Path(folder) / "marks/train.spacy")
    if not text.strip():
        assert lost["a row without a text: left out"] == (1,)
        return
    assert doc.text == text
    left_out = sum(len(tasks) for why, tasks in lost.items() if why.endswith("left out"))
    assert len(doc.spans["sc"]) + left_out == len(drawn)
    alone = len(lost.get('a span that overlaps a longer one: in doc.spans["sc"] alone', ()))
    assert len(doc.ents) + alone == len(doc.spans["sc"])
    moved = [why for why in lost if not why.endswith(("left out", "alone"))]
    if not moved and not left_out:
        assert sorted(spans_of(doc)) == sorted(drawn_at(drawn))


def drawn_at(drawn: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    return [(start, start + length, label) for start, length, label in drawn]


def test_choices_are_categories_with_a_value_for_each_label(tmp_path: Path) -> None:
    write(export(some("many"), some("choices")), tmp_path)
    assert [docs(tmp_path / f"topics/{split}.spacy")[0].cats for split in ("train", "test")] == [
        {"a": 1.0, "b": 1.0, "c": 0.0},
        {"a": 0.0, "b": 0.0, "c": 0.0},
    ]
    (doc,) = docs(tmp_path / "topic/train.spacy")
    assert doc.cats == {"a": 1.0, "b": 0.0}
    assert json.loads((tmp_path / "topic/train.jsonl").read_text()) == {"task": 1, "soft": {"a": 0.75, "b": 0.25}}


def test_a_blank_pipeline_of_another_tokenizer_learns_from_the_files(tmp_path: Path) -> None:
    import spacy
    from spacy.training import Corpus

    rows = [marked(n, f"Buy Acme's shoes today, {n} left", (4, 8, "brand")) for n in range(8)]
    write(
        export(asked("spans", ["brand"], *rows), asked("choices", "ab", *(labelled(n, "ab"[n % 2]) for n in range(8)))),
        tmp_path,
    )
    nlp = spacy.blank("en")
    examples = list(Corpus(tmp_path / "marks")(nlp))
    assert [[it.text for it in example.reference.ents] for example in examples] == [["Acme"]] * 8
    assert [example.get_aligned_ner()[1] for example in examples] == ["U-brand"] * 8
    ner = nlp.add_pipe("ner")
    nlp.initialize(lambda: examples)
    assert ner.labels == ("brand",)
    losses: dict[str, float] = {}
    nlp.update(examples, losses=losses)
    assert losses["ner"] > 0
    categories = spacy.blank("en")
    chosen = list(Corpus(tmp_path / "topic")(categories))
    textcat = categories.add_pipe("textcat")
    categories.initialize(lambda: chosen)
    assert textcat.labels == ("a", "b")


def test_a_row_without_text_is_counted_and_a_control_without_any_refused(tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    (tmp_path / "none").mkdir()
    lost = write(export(asked("choices", "a", labelled(1, "a", text=" \n"), labelled(2, "a"))), tmp_path / "some").lost
    assert lost == {"a row without a text: left out": (1,)}
    with pytest.raises(InputError, match=r"'topic'.*none of its rows has a text \(task 1\)"):
        write(export(asked("choices", "a", labelled(1, "a", text=""))), tmp_path / "none")


def test_an_empty_label_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'topic': one of its labels is empty"):
        write(export(asked("choices", ["a", ""], labelled(1, "a"))), tmp_path)


def test_without_spacy_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(InputError, match=r"pip install 'tiebreak\[spacy\]'"):
        write(export(some("choices")), tmp_path)
    assert not list(tmp_path.iterdir())
