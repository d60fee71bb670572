"""A labelled file -> one entry a text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from unit.backtest.made import COLUMNS, SENTIMENT, read, write
from unit.learning.reviews import choice, reviews

from ml_backend.encoder import Encoder
from ml_backend.labeling.errors import InputError
from ml_backend.prelabelers import group_key
from sdk_scripts.backtest.columns import Columns

BOTH = SENTIMENT.replace("</View>", '<Rating name="stars" toName="text"/></View>')


def rows(count: int = 60) -> list[tuple[str, str]]:
    return reviews(count)


def test_a_text_counts_once_however_often_it_stands_in_the_file(tmp_path: Path, encoder: Encoder) -> None:
    shouted = [(text.upper(), label) for text, label in rows()[:20]]
    found = read(write(tmp_path / "data.csv", [*rows(), *shouted]), SENTIMENT, encoder)
    assert (len(found), found.rows, found.duplicates, found.conflicts) == (60, 80, 20, 0)
    assert len({group_key(text) for text in found.texts}) == 60


def test_the_commonest_label_of_a_text_counts_and_conflicts_are_counted(tmp_path: Path, encoder: Encoder) -> None:
    text, label = rows()[0]
    other = {"positive": "negative", "negative": "positive"}[label]
    found = read(write(tmp_path / "data.csv", [*rows(), (text, other), (text, other)]), SENTIMENT, encoder)
    assert found.conflicts == 1
    assert dict(zip(found.texts, found.answers, strict=True))[text] == (other,)


def test_rows_about_one_item_are_votes(tmp_path: Path, encoder: Encoder) -> None:
    votes = [(text, vote, f"item {i}") for i, (text, label) in enumerate(rows()) for vote in (label, label, "negative")]
    path = write(tmp_path / "data.csv", votes, ("text", "label", "item"))
    found = read(path, SENTIMENT, encoder, Columns("text", "label", item="item"))
    assert dict(zip(found.texts, found.answers, strict=True)) == {text: (label,) for text, label in rows()}
    assert found.conflicts == 30


def test_what_has_no_text_or_no_label_is_left_out_and_counted(tmp_path: Path, encoder: Encoder) -> None:
    found = read(write(tmp_path / "data.csv", [*rows(), (" ", "positive"), ("A text.", "")]), SENTIMENT, encoder)
    assert found.dropped == {"without a text": 1, "without a label": 1}


def test_every_format_says_the_same(tmp_path: Path, encoder: Encoder) -> None:
    table = pl.DataFrame(rows(), schema=["text", "label"], orient="row")
    table.write_csv(tmp_path / "a.csv")
    table.write_csv(tmp_path / "a.tsv", separator="\t")
    table.write_parquet(tmp_path / "a.parquet")
    table.write_ndjson(tmp_path / "a.jsonl")
    (tmp_path / "a.json").write_text(json.dumps(table.to_dicts()))
    found = [read(path, SENTIMENT, encoder) for path in sorted(tmp_path.iterdir())]
    assert len(found) == 5
    assert {it.texts for it in found} == {found[0].texts}
    assert {it.answers for it in found} == {found[0].answers}


def test_the_order_of_rows_does_not_matter_and_a_limit_picks_by_seed(tmp_path: Path, encoder: Encoder) -> None:
    forward, backward = write(tmp_path / "a.csv", rows(80)), write(tmp_path / "b.csv", rows(80)[::-1])
    assert read(forward, SENTIMENT, encoder, limit=60).texts == read(backward, SENTIMENT, encoder, limit=60).texts
    one, two = (set(read(forward, SENTIMENT, encoder, limit=60, seed=seed).texts) for seed in (0, 1))
    assert len(one) == len(two) == 60
    assert one != two


def test_an_export_needs_no_columns(tmp_path: Path, encoder: Encoder) -> None:
    tasks: list[dict[str, Any]] = [
        {
            "id": id,
            "data": {"text": text},
            "annotations": [{"id": id, "completed_by": 1, "result": [choice("sentiment", label)]}],
        }
        for id, (text, label) in enumerate(rows(), 1)
    ]
    (tmp_path / "export.json").write_text(json.dumps([*tasks, {"id": 99, "data": {"text": "Nobody said."}}]))
    found = read(tmp_path / "export.json", SENTIMENT, encoder, Columns("", ""))
    assert dict(zip(found.texts, found.answers, strict=True)) == {text: (label,) for text, label in rows()}
    assert found.dropped == {"without a text or a label": 1}


@pytest.mark.parametrize(
    ("made", "config", "columns", "says"),
    [
        ([], SENTIMENT, COLUMNS, "no rows"),
        (rows(20), SENTIMENT, COLUMNS, "20 different texts"),
        ([("Always the same.", "positive")] * 80, SENTIMENT, COLUMNS, "1 different texts"),
        ([(text, "positive") for text, _ in rows()], SENTIMENT, COLUMNS, "the same label, 'positive'"),
        ([*rows(), ("A text.", "neutral"), ("Another.", "neutral")], SENTIMENT, COLUMNS, r"2 rows .*'neutral' \(2\)"),
        (rows(), SENTIMENT, Columns("body", "label"), "no column 'body'; its columns: text, label"),
        (rows(), SENTIMENT, Columns("text", ""), "Both --text and --label"),
        (rows(), SENTIMENT, Columns("", ""), "names of its columns"),
        (rows(), BOTH, COLUMNS, "--control NAME"),
        (rows(), BOTH, Columns("text", "label", control="colour"), "known: sentiment, stars"),
        (rows(), BOTH, Columns("text", "label", control="stars"), "labels in 'label' that the control 'stars'"),
        (rows(), '<View><Text name="text" value="$text"/></View>', COLUMNS, "0 controls"),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_a_reason(
    made: list[tuple[str, str]], config: str, columns: Columns, says: str, tmp_path: Path, encoder: Encoder
) -> None:
    path = write(tmp_path / "data.csv", made)
    with pytest.raises(InputError, match=says) as raised:
        read(path, config, encoder, columns)
    assert raised.value.mend or "known" in says
