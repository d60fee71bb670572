"""What a review decided: the answer, no judgement of an annotator, and a measure of those who judged."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from msgspec.structs import replace
from unit.labeling.votes import choice, table

from ml_backend.labeling.agreement import agreement, pair_agreement
from ml_backend.labeling.answers import write_answers
from ml_backend.labeling.config import LabelConfig, parse
from ml_backend.labeling.consensus import consensus
from ml_backend.labeling.judgements import decisions, judgements, latest, of_annotators
from ml_backend.labeling.kinds import kind_of
from ml_backend.labeling.results import Annotation, Task, read_annotation

SOURCE = '<Text name="t" value="$text"/>'
ONE = '<Choices name="c" toName="t"><Choice value="x"/><Choice value="y"/><Choice value="z"/></Choices>'
MANY = ONE.replace('toName="t"', 'toName="t" choice="multiple"')
RATING = '<Rating name="c" toName="t"/>'
WORDS = '<TextArea name="c" toName="t"/>'
REVIEW = {"tiebreak": {"review": "7/8/9", "cause": "guideline", "reviewer": "expert@x"}}
NINE, TEN = datetime(2026, 1, 1, 9, tzinfo=UTC), datetime(2026, 1, 1, 10, tzinfo=UTC)


def asking(xml: str) -> LabelConfig:
    return parse(f"<View>{SOURCE}{xml}</View>")


def decided(rows: pl.DataFrame, *final: tuple[int, str, str]) -> pl.DataFrame:
    """The judgements and these decisions, the later the newer."""
    made = table(list(final)).with_columns(pl.col("annotation") + 1000, decided=True, ground_truth=True)
    return pl.concat([rows, made])


def annotation(meta: Any) -> Annotation:
    config = asking(ONE)
    (region,) = write_answers(config, {"c": ("x",)})
    return read_annotation(
        {
            "id": 1,
            "completed_by": 3,
            "ground_truth": True,
            "result": [region if meta is None else {**region, "meta": meta}],
        }
    )


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        (REVIEW, True),
        (None, False),
        ({"text": ["looks odd"]}, False),
        ({"tiebreak": "review"}, False),
        ({"tiebreak": {"cause": "item"}}, False),
        ({"tiebreak": {"review": ""}}, False),
        (["tiebreak"], False),
    ],
)
def test_an_annotation_is_a_decision_where_its_regions_name_the_review(meta: Any, expected: bool) -> None:
    assert annotation(meta).decided is expected
    assert judgements([Task(1, {}, (annotation(meta),))], asking(ONE))["decided"].to_list() == [expected]


def test_a_decision_is_not_taken_for_the_reviewers_own_judgement() -> None:
    own = replace(annotation(None), annotator="expert", updated_at=TEN)
    final = replace(annotation(REVIEW), id=2, annotator="expert", updated_at=NINE)
    kept = latest(judgements([Task(1, {}, (own, final))], asking(ONE)))
    assert of_annotators(kept)["annotation"].to_list() == [1]
    assert decisions(kept)["annotation"].to_list() == [2]


def test_a_copy_of_a_decision_or_one_that_was_replaced_decides_nothing() -> None:
    final = replace(annotation(REVIEW), annotator="expert", updated_at=NINE)
    copied = replace(final, id=2, ground_truth=False, updated_at=TEN)
    for copy in (copied, replace(copied, annotator="somebody")):
        kept = latest(judgements([Task(1, {}, (final, copy))], asking(ONE)))
        assert decisions(kept)["annotation"].to_list() == [1]
        assert of_annotators(kept).is_empty()


@pytest.mark.parametrize(
    ("xml", "said", "final"),
    [
        (ONE, choice("x"), choice("y")),
        (ONE, choice("x"), choice("z")),
        (MANY, choice("x"), choice("y", "z")),
        (RATING, "5", "1"),
        (WORDS, '["brand"]', '["no brand"]'),
    ],
)
@pytest.mark.parametrize("method", ["auto", "majority", "dawid-skene"])
def test_a_decision_is_the_consensus_whatever_everybody_said(xml: str, said: str, final: str, method: str) -> None:
    rows = table([(task, who, said) for task in (1, 2) for who in "abc"])
    found = consensus(decided(rows, (1, "expert", said), (1, "expert", final)), asking(xml), method=method).items
    assert found.rows(named=True)[0] == {
        "task": 1, "control": "c", "answer": final, "confidence": 1.0, "judgements": 3, "tied": False
    }  # fmt: skip
    assert found.rows(named=True)[1]["answer"] == said


def test_a_decision_on_what_nobody_judged_any_more_stands() -> None:
    found = consensus(decided(table([]), (4, "expert", choice("y"))), asking(ONE))
    assert found.items.select("task", "answer", "confidence", "judgements").rows() == [(4, choice("y"), 1.0, 0)]
    assert found.annotators.is_empty()
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("xml", "right", "wrong"),
    [(ONE, choice("x"), choice("y")), (MANY, choice("x"), choice("y")), (WORDS, '["a b"]', '["c d"]')],
)
def test_decisions_tell_who_judges_well_even_where_nobody_else_judged(xml: str, right: str, wrong: str) -> None:
    rows = table([(task, "ab"[task % 2], (right, wrong)[task % 2]) for task in range(40)])
    final = decided(rows, *((task, "expert", right) for task in range(40)))
    people = consensus(final, asking(xml)).annotators.sort("annotator")
    assert people["annotator"].to_list() == ["a", "b"]  # the reviewer is none of them
    assert people["quality"][0] > 0.85
    assert people["quality"][1] < 0.25
    assert people["low"][0] > people["high"][1]


def test_known_answers_decide_who_is_believed_elsewhere() -> None:
    """Two against one, always the same two; reviews found the one to be right."""
    rows = table([(task, who, choice("x" if who == "a" else "y")) for task in range(60) for who in "abc"])
    final = decided(rows, *((task, "expert", choice("x")) for task in range(30)))
    for method in ("auto", "dawid-skene"):
        before, after = (consensus(it, asking(ONE), method=method).items for it in (rows, final))
        assert before.filter(pl.col("task") >= 30)["answer"].unique().to_list() == [choice("y")]
        assert after.filter(pl.col("task") >= 30)["answer"].unique().to_list() == [choice("x")]


def test_agreement_leaves_decisions_out() -> None:
    rows = table([(task, who, choice("x" if who < "c" else "y")) for task in range(20) for who in "abc"])
    final = decided(rows, *((task, "a", choice("y")) for task in range(20)))
    config = asking(ONE)
    assert kind_of(config["c"])
    assert agreement(final, config).to_json() == agreement(rows, config).to_json()
    assert pair_agreement(final, "c").equals(pair_agreement(rows, "c"))
